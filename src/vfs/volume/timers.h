#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace isthmus::volume {

/// Something that ends after a time unless it is removed before. Owned by a shared_ptr for as long as it is added.
class TimerItem : public std::enable_shared_from_this<TimerItem> {
 public:
  virtual ~TimerItem() = default;
  /// On the timers' thread, with no lock held.
  virtual void fire() noexcept = 0;

 private:
  friend class Timers;
  TimerItem *next_ = nullptr, *before_ = nullptr;
  int64_t due_ = 0;  // monotonic_ns(); 0: not added
};

/// Time-outs that are all equally long, for things that nearly always end earlier: adding and removing take a lock that
/// few share and nothing more. One thread, made with the first item; it sleeps while there is none, and fires up to a
/// sixteenth of the time too late. Any thread. The shards' mutexes are leaves, as is m_.
class Timers {
 public:
  Timers(std::string name, std::chrono::milliseconds time);
  /// Nothing fires any more; what is added still is let go.
  ~Timers();
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  void add(TimerItem& item);
  /// True: it will not fire. False: it has, or is about to, or was not added.
  bool remove(TimerItem& item);

 private:
  static constexpr size_t kShards = 8;
  struct alignas(64) Shard {
    std::mutex m;
    TimerItem *first = nullptr, *last = nullptr;  // by due_
  };
  Shard& shard_of(const TimerItem& item) { return shards_[(reinterpret_cast<uintptr_t>(&item) >> 8) % kShards]; }
  static void unlink(Shard& s, TimerItem& item);
  void run();
  /// Fires what is due. False: there is nothing left.
  bool look(int64_t now);
  void wake();

  const std::string name_;
  const int64_t time_;  // ns
  const std::chrono::nanoseconds tick_;
  std::array<Shard, kShards> shards_;
  std::atomic<bool> asleep_{true};
  std::mutex m_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace isthmus::volume
