#include "doors/fuse/serve_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace isthmus::fuse {
namespace {

std::atomic<int> g_out{-1};
std::atomic<unsigned> g_seen{0};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

void on_signal(int signal) {
  int saved = errno;
  if (g_seen.fetch_add(1) >= 2) _exit(128 + signal);
  char byte = 1;
  if (int fd = g_out.load(); fd >= 0) static_cast<void>(!write(fd, &byte, 1));
  errno = saved;
}

}  // namespace

StopSignals::StopSignals() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    in_.reset(ends[0]);
    out_.reset(ends[1]);
  }
  g_out = out_.get();
  struct sigaction act {};
  act.sa_handler = on_signal;
  act.sa_flags = SA_RESTART;
  sigset_t all;
  sigemptyset(&all);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&all, s);
    struct sigaction before {};
    // Ignored from outside (nohup, a shell's background job) stays ignored.
    if (s != SIGTERM && sigaction(s, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(s, &act, nullptr);
  }
  pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

unsigned StopSignals::take() {
  char bytes[16];
  ssize_t n = read(in_.get(), bytes, sizeof bytes);
  return n > 0 ? static_cast<unsigned>(n) : 0;
}

}  // namespace isthmus::fuse
