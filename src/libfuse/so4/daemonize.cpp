/// fuse_daemonize_early_*, fuse_set_fail_signal_handlers.
#include <isthmus/fuse3/fuse_daemonize.h>

#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "libfuse/common/exports.h"
#include "libfuse/common/session.h"

namespace {

// Of the process, before it has threads.
int g_waiting = -1;         // the starter's process waits for a word here
bool g_background = false;  // this is the process that was made
pid_t g_made = 0;           // that process, in the starter's

/// Whoever gives up waiting for the mount ends it.
void pass_on(int signal) {
  kill(g_made, signal);
  _exit(128 + signal);
}

void tell(int status) {
  if (g_waiting < 0) return;
  if (status == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
      dup2(null, STDOUT_FILENO);
      dup2(null, STDERR_FILENO);
      close(null);
    }
  }
  static_cast<void>(!write(g_waiting, &status, sizeof status));
  close(g_waiting);
  g_waiting = -1;
}

}  // namespace

ISTHMUS_EXPORT int fuse_daemonize_early_start(unsigned flags) {
  if (g_background) return 0;
  if (!(flags & FUSE_DAEMONIZE_NO_CHDIR)) static_cast<void>(!chdir("/"));
  if (flags & FUSE_DAEMONIZE_NO_BACKGROUND) return 0;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return -error;
  }
  if (child > 0) {
    close(ends[1]);
    g_made = child;
    for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) signal(s, pass_on);
    int status = 1;
    _exit(read(ends[0], &status, sizeof status) == sizeof status ? status : 1);
  }
  close(ends[0]);
  g_waiting = ends[1];
  g_background = true;
  setsid();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) {
    dup2(null, STDIN_FILENO);
    close(null);
  }
  return 0;
}

ISTHMUS_EXPORT void fuse_daemonize_early_success() { tell(0); }
ISTHMUS_EXPORT void fuse_daemonize_early_fail(int error) { tell(error); }
ISTHMUS_EXPORT bool fuse_daemonize_early_is_active() { return g_background; }

// ---- when the program goes wrong ----

namespace {

char g_mountpoint[PATH_MAX];  // for the handler

/// Async-signal-safe, but for backtrace(3) having been called before.
void on_failure(int signal) {
  constexpr int kFrames = 64;
  void* frames[kFrames];
  constexpr char kText[] = "fuse: the program has failed; it was here:\n";
  static_cast<void>(!write(STDERR_FILENO, kText, sizeof kText - 1));
  backtrace_symbols_fd(frames, backtrace(frames, kFrames), STDERR_FILENO);
  if (g_mountpoint[0]) umount2(g_mountpoint, MNT_DETACH);
  ::signal(signal, SIG_DFL);
  raise(signal);
}

}  // namespace

ISTHMUS_EXPORT int fuse_set_fail_signal_handlers(fuse_session* se) {
  void* one;
  backtrace(&one, 1);  // loads what it needs
  const isthmus::fuse::Mounted* mounted = se ? se->mounted : nullptr;
  if (mounted && mounted->by == isthmus::fuse::MountedBy::kernel_call && mounted->path.size() < sizeof g_mountpoint)
    memcpy(g_mountpoint, mounted->path.c_str(), mounted->path.size() + 1);
  for (int s : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU, SIGXFSZ}) {
    struct sigaction old {};
    if (sigaction(s, nullptr, &old) < 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction act {};
    act.sa_handler = on_failure;
    act.sa_flags = SA_RESETHAND | SA_NODEFER;
    sigemptyset(&act.sa_mask);
    if (sigaction(s, &act, nullptr) < 0) return -1;
  }
  return 0;
}
