#include "doors/userfs/main.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "run/threads.h"

namespace isthmus::userfs {
namespace {

/// Until `ended` says so, or something can be read from `signals`.
Status serve_until(FileSystem& fs, Fd in, Fd out, const Options& options, int signals) {
  const Fd ended(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ended) return last_errno();
  UserfsDoor door(fs, std::move(in), std::move(out), options, [fd = ended.get()] { eventfd_write(fd, 1); });
  if (Status s = door.start(); !s) return s;
  pollfd p[2] = {{ended.get(), POLLIN, 0}, {signals, POLLIN, 0}};
  while (poll(p, 2, -1) < 0 && errno == EINTR) {
  }
  door.stop();
  return door.clean() || p[1].revents != 0 ? Status(Unit{}) : Status(err(EPROTO));
}

}  // namespace

Status serve(FileSystem& fs, Fd in, Fd out, const Options& options) {
  return serve_until(fs, std::move(in), std::move(out), options, -1);
}

int run_main(FileSystem& fs, const Options& options) {
  const sigset_t stops = signal_set({SIGTERM, SIGINT, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const Fd signals(signalfd(-1, &stops, SFD_CLOEXEC));
  Fd in(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)), out(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!signals || !in || !out || !null || dup2(null.get(), STDIN_FILENO) < 0 ||
      dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    fprintf(stderr, "standard input and output are not there\n");
    return 1;
  }
  const Status served = serve_until(fs, std::move(in), std::move(out), options, signals.get());
  if (served) return 0;
  if (served.error() == err(EPROTO)) return 1;
  fprintf(stderr, "cannot start: %s\n", std::string(text_of(served.error())).c_str());
  return 5;
}

}  // namespace isthmus::userfs
