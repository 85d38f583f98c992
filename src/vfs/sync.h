#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "vfs/filesystem.h"

namespace isthmus {

/// Submits and sleeps until the answer is there. When it is not there after `patience`, `slow()` runs once.
template <class T, class F>
Result<typename T::Reply> call_and_wait(FileSystem& fs, T args, const Context& ctx, std::chrono::milliseconds patience,
                                        F slow) {
  struct Waiter final : Pending<T> {
    void answered(Result<typename T::Reply>&& r) noexcept override {
      std::lock_guard lock(m);
      result.emplace(std::move(r));
      cv.notify_one();
    }
    std::mutex m;
    std::condition_variable cv;
    std::optional<Result<typename T::Reply>> result;
  } w;
  w.ctx = ctx;
  w.args = std::move(args);
  fs.submit<T>(w);
  const auto there = [&w] { return w.result.has_value(); };
  std::unique_lock lock(w.m);
  if (!w.cv.wait_for(lock, patience, there)) {
    lock.unlock();
    slow();
    lock.lock();
    w.cv.wait(lock, there);
  }
  return std::move(*w.result);
}

/// For tests, tools and rare long jobs, never on a line's hot path.
template <class T>
Result<typename T::Reply> call_and_wait(FileSystem& fs, T args, const Context& ctx = {}) {
  return call_and_wait(fs, std::move(args), ctx, std::chrono::hours(1), [] {});
}

}  // namespace isthmus
