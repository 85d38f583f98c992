#include "fs/mail/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "run/threads.h"

namespace isthmus::fs::mail {
namespace {

constexpr uint32_t kNames = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
constexpr uint32_t kContent = IN_MODIFY | IN_CLOSE_WRITE;
constexpr int64_t kGatherNs = 20'000'000;  // events that come together are one look
constexpr int64_t kRest = 4;               // times as long as the last looks took

}  // namespace

void Watcher::start(const std::string& what) {
  inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  bell_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!inotify_ || !bell_) {
    log(LogLevel::warning, "{}: new mail shows when it is listed, not before: {}", what, text_of(last_errno()));
    inotify_.reset();
    return;
  }
  const SignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { run(); });
    name_thread(thread_, "mail/watch");
    works_ = true;
  } catch (const std::system_error& e) {
    log(LogLevel::warning, "{}: new mail shows when it is listed, not before: {}", what, e.what());
  }
}

void Watcher::stop() {
  stopping_ = true;
  const uint64_t one = 1;
  if (bell_) (void)!::write(bell_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

bool Watcher::add(const std::string& directory, uint32_t id, const std::string& only) {
  if (!inotify_) return true;  // said once
  const std::lock_guard lock(m_);
  const int wd = ::inotify_add_watch(inotify_.get(), directory.c_str(), only.empty() ? kNames : kNames | kContent);
  if (wd >= 0)
    watched_[wd] = {id, only};
  else
    works_ = false;
  return wd >= 0;
}

void Watcher::hear(std::unordered_set<uint32_t>& dirty) {
  alignas(inotify_event) char block[16 << 10];
  for (ssize_t n = 0; (n = ::read(inotify_.get(), block, sizeof block)) > 0;) {
    const std::lock_guard lock(m_);
    for (ssize_t i = 0; i < n;) {
      const auto* e = reinterpret_cast<const inotify_event*>(block + i);
      i += static_cast<ssize_t>(sizeof *e + e->len);
      if (e->mask & IN_Q_OVERFLOW)
        for (auto& [wd, watched] : watched_) dirty.insert(watched.id);
      const auto it = watched_.find(e->wd);
      if (it == watched_.end()) continue;
      const std::string& only = it->second.only;
      if (only.empty() || e->len == 0 || only == e->name) dirty.insert(it->second.id);
      if (e->mask & IN_IGNORED) watched_.erase(it);  // the directory is gone
    }
  }
}

void Watcher::run() {
  std::unordered_set<uint32_t> dirty;
  int64_t next_ns = 0;  // when the next look may be
  while (!stopping_) {
    pollfd at[] = {{bell_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
    int wait_ms = -1;
    // What comes until then is heard then.
    if (!dirty.empty()) {
      at[1].fd = -1;
      wait_ms = static_cast<int>(std::clamp<int64_t>((next_ns - monotonic_ns()) / 1'000'000, 0, 10'000)) + 1;
    }
    if (::poll(at, 2, wait_ms) < 0 && errno != EINTR) return;
    if (stopping_) return;
    const bool first = dirty.empty();
    hear(dirty);
    const int64_t now_ns = monotonic_ns();
    if (first && !dirty.empty()) next_ns = std::max(next_ns, now_ns + kGatherNs);
    if (dirty.empty() || now_ns < next_ns) continue;
    for (const uint32_t id : dirty) look_(id);
    dirty.clear();
    const int64_t done_ns = monotonic_ns();
    next_ns = done_ns + kRest * (done_ns - now_ns);
  }
}

}  // namespace isthmus::fs::mail
