#include "vfs/volume/timers.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "run/threads.h"

namespace isthmus::volume {

Timers::Timers(std::string name, std::chrono::milliseconds time)
    : name_(std::move(name)),
      time_(std::chrono::nanoseconds(time).count()),
      tick_(std::clamp<int64_t>(time_ / 16, 1'000'000, 1'000'000'000)) {}

Timers::~Timers() {
  {
    std::lock_guard lock(m_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Timers::add(TimerItem& item) {
  {
    Shard& s = shard_of(item);
    std::lock_guard lock(s.m);
    item.due_ = monotonic_ns() + time_;
    item.next_ = nullptr;
    item.before_ = s.last;
    (s.last ? s.last->next_ : s.first) = &item;
    s.last = &item;
  }
  // Either this sees that the thread sleeps, or the thread's last look before sleep sees the item: both take the
  // shard's mutex, and whoever comes second sees what the first did before.
  if (asleep_.load(std::memory_order_relaxed)) wake();
}

bool Timers::remove(TimerItem& item) {
  Shard& s = shard_of(item);
  std::lock_guard lock(s.m);
  if (item.due_ == 0) return false;
  unlink(s, item);
  return true;
}

void Timers::unlink(Shard& s, TimerItem& item) {
  (item.before_ ? item.before_->next_ : s.first) = item.next_;
  (item.next_ ? item.next_->before_ : s.last) = item.before_;
  item.due_ = 0;
}

void Timers::wake() {
  std::lock_guard lock(m_);
  asleep_.store(false, std::memory_order_relaxed);
  if (thread_.joinable() || stopping_) return changed_.notify_all();
  SignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { run(); });
    name_thread(thread_, name_);
  } catch (const std::system_error& e) {
    asleep_.store(true, std::memory_order_relaxed);
    log(LogLevel::error, "no thread for time-outs: {}; operations wait for as long as it takes", e.what());
  }
}

bool Timers::look(int64_t now) {
  bool any = false;
  std::vector<std::shared_ptr<TimerItem>> due;
  for (Shard& s : shards_) {
    std::lock_guard lock(s.m);
    while (s.first && s.first->due_ <= now) {
      due.push_back(s.first->shared_from_this());
      unlink(s, *s.first);
    }
    any |= s.first != nullptr;
  }
  for (auto& item : due) item->fire();
  return any || !due.empty();
}

void Timers::run() {
  std::unique_lock lock(m_);
  while (!stopping_) {
    lock.unlock();
    bool any = look(monotonic_ns());
    lock.lock();
    if (any) {
      changed_.wait_for(lock, tick_, [&] { return stopping_; });
      continue;
    }
    asleep_.store(true, std::memory_order_relaxed);
    lock.unlock();
    any = look(monotonic_ns());
    lock.lock();
    if (any) asleep_.store(false, std::memory_order_relaxed);
    changed_.wait(lock, [&] { return stopping_ || !asleep_.load(std::memory_order_relaxed); });
  }
}

}  // namespace isthmus::volume
