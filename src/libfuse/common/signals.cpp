/// Signal handlers, and fuse_daemonize.
#include "libfuse/common/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "libfuse/common/exports.h"
#include "libfuse/common/loops.h"
#include "providers/libfuse/common/message.h"

using namespace isthmus::libfuse;

namespace {

std::atomic<fuse_session*> g_session{nullptr};
static_assert(std::atomic<fuse_session*>::is_always_lock_free, "used in a signal handler");

void on_stop(int signal) {
  int saved = errno;
  if (fuse_session* se = g_session.load()) {
    se->error = signal;
    ask_to_exit(*se);
  }
  errno = saved;
}

void on_nothing(int) {}

/// Puts `handler` in the place of `instead_of`; other handlers are the program's own and stay.
int replace(int signal, void (*instead_of)(int), void (*handler)(int)) {
  struct sigaction old {};
  if (sigaction(signal, nullptr, &old) < 0) {
    message(FUSE_LOG_ERR, "fuse: cannot get old signal handler: %s\n", strerror(errno));
    return -1;
  }
  if (old.sa_handler != instead_of) return 0;
  // Without SA_RESTART: the loop's read(2) is to return.
  struct sigaction act {};
  act.sa_handler = handler;
  sigemptyset(&act.sa_mask);
  if (sigaction(signal, &act, nullptr) == 0) return 0;
  message(FUSE_LOG_ERR, "fuse: cannot set signal handler: %s\n", strerror(errno));
  return -1;
}

constexpr int kStopping[] = {SIGHUP, SIGINT, SIGTERM};

}  // namespace

int isthmus::libfuse::set_signal_handlers(fuse_session& se) {
  for (int s : kStopping)
    if (replace(s, SIG_DFL, on_stop) < 0) return -1;
  // A handler rather than SIG_IGN, which children would inherit.
  if (replace(SIGPIPE, SIG_DFL, on_nothing) < 0) return -1;
  g_session = &se;
  return 0;
}

void isthmus::libfuse::remove_signal_handlers(fuse_session& se) {
  if (g_session.load() != &se)
    message(FUSE_LOG_ERR, "fuse: fuse_remove_signal_handlers: unknown session\n");
  else
    g_session = nullptr;
  for (int s : kStopping) replace(s, on_stop, SIG_DFL);
  replace(SIGPIPE, on_nothing, SIG_DFL);
}

ISTHMUS_EXPORT int fuse_daemonize(int foreground) {
  if (foreground) {
    static_cast<void>(!chdir("/"));
    return 0;
  }
  int ends[2];
  if (pipe(ends) < 0) {
    perror("fuse_daemonize: pipe");
    return -1;
  }
  pid_t child = fork();
  if (child < 0) {
    perror("fuse_daemonize: fork");
    close(ends[0]);
    close(ends[1]);
    return -1;
  }
  if (child > 0) {
    // Until the other one has left the terminal, or is gone.
    char word;
    close(ends[1]);
    _exit(read(ends[0], &word, 1) == 1 ? 0 : 1);
  }
  if (setsid() < 0) {
    perror("fuse_daemonize: setsid");
    return -1;
  }
  static_cast<void>(!chdir("/"));
  int null = open("/dev/null", O_RDWR);
  if (null >= 0) {
    for (int i = 0; i < 3; i++) dup2(null, i);
    if (null > 2) close(null);
  }
  char word = 1;
  static_cast<void>(!write(ends[1], &word, 1));
  close(ends[0]);
  close(ends[1]);
  return 0;
}
