/// What can be set on a session, news, and the watchdog of its end.
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <thread>

#include "base/fd.h"
#include "base/log.h"
#include "doors/fuse/news.h"
#include "libfuse/common/exports.h"
#include "libfuse/common/session.h"
#include "libfuse/common/trace.h"
#include "providers/libfuse/common/no_throw.h"
#include "run/threads.h"

using namespace isthmus;
using namespace isthmus::libfuse;

ISTHMUS_EXPORT void fuse_session_set_debug(fuse_session* se, int debug) {
  se->debug = debug;
  set_log_level(debug ? LogLevel::debug : LogLevel::info);
  if (!debug || se->trace || se->current) return;
  no_throw(false, [&] {
    if (auto trace = make_trace(se->program->files(), true)) se->trace = std::move(*trace);
    return true;
  });
}

ISTHMUS_EXPORT void fuse_session_set_sync_init(fuse_session*, bool) {}

// ---- news ----

ISTHMUS_EXPORT int fuse_lowlevel_notify_increment_epoch(fuse_session* se) {
  if (!se) return -EINVAL;
  return se->with_door([](fuse::Door& door) { return -door.news().tell_epoch().code(); });
}

ISTHMUS_EXPORT int fuse_lowlevel_notify_prune(fuse_session* se, fuse_ino_t* nodeids, uint32_t count) {
  constexpr uint32_t kMost = 1024;  // one message
  if (!se || (count > 0 && !nodeids)) return -EINVAL;
  for (uint32_t i = 0; i < count; i += kMost) {
    std::span<const uint64_t> some(nodeids + i, std::min(count - i, kMost));
    int result = se->with_door([&](fuse::Door& door) { return -door.news().tell_unused(some).code(); });
    if (result != 0) return result;
  }
  return 0;
}

// ---- the watchdog ----

namespace {

struct Watchdog {
  std::shared_ptr<Pulse> pulse;
  Fd stop;
  std::thread thread;

  bool torn_down() const {
    if (pulse->over) return true;
    int device = pulse->device;
    if (device < 0) return false;  // not serving yet
    pollfd p{device, 0, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLNVAL));
  }
  /// True when stop() was called.
  bool stopped_within(int ms) const {
    pollfd p{stop.get(), POLLIN, 0};
    return poll(&p, 1, ms) == 1;
  }
  void run(unsigned seconds, void (*cb)(void*), void* data) const {
    constexpr int kLookMs = 100;
    while (!torn_down())
      if (stopped_within(kLookMs)) return;
    if (stopped_within(static_cast<int>(std::min(seconds, 1'000'000u) * 1000))) return;
    if (cb) return cb(data);
    message(FUSE_LOG_ERR, "fuse: the program is still at work %u s after the end of its session: it is killed\n",
            seconds);
    kill(getpid(), SIGKILL);
  }
};

}  // namespace

ISTHMUS_EXPORT void* fuse_session_start_teardown_watchdog(fuse_session* se, unsigned timeout_sec, void (*cb)(void*),
                                                          void* data) try {
  auto dog = std::make_unique<Watchdog>();
  dog->pulse = se->pulse;
  dog->stop.reset(eventfd(0, EFD_CLOEXEC));
  if (!dog->stop) return nullptr;
  SignalsBlocked blocked;
  dog->thread = std::thread([d = dog.get(), timeout_sec, cb, data] { d->run(timeout_sec, cb, data); });
  return dog.release();
} catch (const std::exception& e) {
  message(FUSE_LOG_ERR, "fuse: no watchdog can be started: %s\n", e.what());
  return nullptr;
}

ISTHMUS_EXPORT void fuse_session_stop_teardown_watchdog(void* watchdog) {
  std::unique_ptr<Watchdog> dog(static_cast<Watchdog*>(watchdog));
  if (!dog) return;
  uint64_t one = 1;
  static_cast<void>(!write(dog->stop.get(), &one, sizeof one));
  dog->thread.join();
}
