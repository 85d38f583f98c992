#include "libfuse/common/loops.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

#include "doors/fuse/dev_transport.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/no_throw.h"
#include "run/line.h"
#include "run/threads.h"

using namespace isthmus;
using namespace isthmus::libfuse;

namespace {

/// A program may cancel the thread of its loop (pthread_cancel(3)): while that reads, and nowhere else, as destructors
/// and half an answer stand in the way of it.
class CancelState {
 public:
  explicit CancelState(int state) { pthread_setcancelstate(state, &before_); }
  ~CancelState() { pthread_setcancelstate(before_, nullptr); }
  CancelState(const CancelState&) = delete;
  CancelState& operator=(const CancelState&) = delete;
  int before() const { return before_; }

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};
class NotCancelled : public CancelState {
 public:
  NotCancelled() : CancelState(PTHREAD_CANCEL_DISABLE) {}
  /// f(), which may be cancelled.
  template <class F>
  auto but(F f) const {
    CancelState as_before(before());
    return f();
  }
};

int nothing_to_serve() {
  message(FUSE_LOG_ERR, "fuse: the session has not been mounted\n");
  return -EINVAL;
}

int end_of_loop(fuse_session& se) {
  int result = se.error;
#if ISTHMUS_FUSE3_SO >= 4
  se.private_view.set_error(result);  // fuse_session_exited() and a second loop see the end, since 3.18
#else
  reset(se);
#endif
  return result;
}

}  // namespace

int isthmus::libfuse::loop_on_threads(fuse_session& se, unsigned max_threads) {
  auto door = se.door();
  if (!door) return nothing_to_serve();
  Line::Options o;
  o.max_threads = std::clamp(max_threads, 1u, fuse::DevTransport::kMaxLanes);
  o.name = "fuse";
  // Callbacks run there, and what they start inherits it: no more than in the original.
  o.blocked = signal_set({SIGTERM, SIGINT, SIGHUP, SIGQUIT});
  Line line(door->source(), o);
  if (Status s = line.start(); !s) return -s.code();
  std::thread watcher;
  try {
    SignalsBlocked blocked;
    watcher = std::thread([&] {
      line.wait_ended();
      ask_to_exit(se);
    });
  } catch (const std::system_error& e) {
    line.stop();
    return -e.code().value();
  }
  // Signals of the program are handled on this thread, and interrupt the wait.
  while (!se.exited && se.serves(door)) sem_wait(&se.wake);
  line.ask_to_stop();
  // A program's own read() that goes on after EINTR.
  if (se.custom && !line.wait_ended_for(std::chrono::seconds(1)) && line.waiting() > 0) shutdown(se.fd, SHUT_RD);
  line.stop();
  watcher.join();
  return end_of_loop(se);
}

int isthmus::libfuse::loop_here(fuse_session& se) {
  NotCancelled cancel;
  auto door = se.door();
  if (!door) return nothing_to_serve();
  LineSource& source = door->source();
  while (!se.exited && se.serves(door)) {
    auto got = cancel.but([&] { return source.wait(0); });
    if (got == LineSource::Got::closed) break;
    if (got == LineSource::Got::request) source.run(0);
  }
  return end_of_loop(se);
}

int isthmus::libfuse::receive(fuse_session& se, MutableBytes into) {
  NotCancelled cancel;
  auto door = se.door();
  if (!door) return nothing_to_serve();
  for (;;) {
    auto n = cancel.but([&] { return door->receive(into); });
    if (se.exited) return 0;
    if (n) return static_cast<int>(*n);
    switch (n.code()) {
      case ENOENT:  // a request that was interrupted before it could be read
        continue;
      case ENODEV:
        ask_to_exit(se);
        return 0;
      default:
        return -n.code();
    }
  }
}

void isthmus::libfuse::process(fuse_session& se, const fuse_buf& buf) {
  NotCancelled cancel;
  bool done = no_throw(false, [&] {
    auto door = se.door();
    if (!door) return nothing_to_serve() == 0;
    if (!(buf.flags & FUSE_BUF_IS_FD)) return door->process({static_cast<const std::byte*>(buf.mem), buf.size}), true;
    // A pipe, for instance, that the program has the message in.
    std::vector<uint64_t> words((std::min(buf.size, kMessageMax) + 7) / 8);
    auto memory = std::as_writable_bytes(std::span(words));
    size_t have = 0;
    while (have < memory.size()) {
      ssize_t n = read(buf.fd, memory.data() + have, memory.size() - have);
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    door->process(memory.first(std::min(have, buf.size)));
    return true;
  });
  if (!done) message(FUSE_LOG_ERR, "fuse: a request of %zu bytes is not processed\n", buf.size);
}

void isthmus::libfuse::ask_to_exit(fuse_session& se) {
  se.exited = true;
  sem_post(&se.wake);
}

void isthmus::libfuse::reset(fuse_session& se) {
  se.exited = false;
  se.error = 0;
}
