#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

namespace isthmus::smb {

class Chain;

/// Threads for frames beyond the first of each connection, which all connections share.
struct FramePool {
  const unsigned most;
  std::atomic<unsigned> taken{0};
};

/// The frames of one connection that are being answered, each by a thread, and those that wait for their turn. Any
/// thread.
class Frames {
 public:
  static constexpr unsigned kMostRunning = 32;
  static constexpr size_t kMostParked = 512, kMostParkedBytes = size_t{16} << 20;

  explicit Frames(FramePool& pool) : pool_(pool) {}

  /// Takes one in hand. False: there are too many.
  bool begin() {
    std::lock_guard lock(m_);
    if (running_ >= kMostRunning) return false;
    if (running_ > 0 && pool_.taken.fetch_add(1, std::memory_order_relaxed) >= pool_.most) {
      pool_.taken.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    running_++;
    return true;
  }
  /// Keeps one until another is done. False: too much waits, or nothing is in hand any more.
  bool park(std::shared_ptr<Chain> chain, size_t bytes) {
    std::lock_guard lock(m_);
    if (running_ == 0 || parked_.size() >= kMostParked || bytes > kMostParkedBytes - parked_bytes_) return false;
    parked_.push_back({std::move(chain), bytes});
    parked_bytes_ += bytes;
    return true;
  }
  /// One is done; the one that takes its place. Null: there is none.
  std::shared_ptr<Chain> next() {
    std::lock_guard lock(m_);
    if (!parked_.empty()) {
      Parked first = std::move(parked_.front());
      parked_.pop_front();
      parked_bytes_ -= first.bytes;
      return std::move(first.chain);
    }
    if (--running_ > 0) pool_.taken.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  /// Those that wait are not answered any more.
  void drop() {
    std::deque<Parked> all;  // outlives the mutex
    std::lock_guard lock(m_);
    all.swap(parked_);
    parked_bytes_ = 0;
  }

 private:
  struct Parked {
    std::shared_ptr<Chain> chain;
    size_t bytes;
  };
  FramePool& pool_;
  std::mutex m_;  // a leaf
  unsigned running_ = 0;
  std::deque<Parked> parked_;
  size_t parked_bytes_ = 0;
};

}  // namespace isthmus::smb
