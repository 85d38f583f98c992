#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>

#include "vfs/filesystem.h"

namespace isthmus {

/// Submits and sleeps until the answer is there: for tests, tools and rare long jobs, never on a line's hot path.
template <class T>
Result<typename T::Reply> call_and_wait(FileSystem& fs, T args, const Context& ctx = {}) {
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
  std::unique_lock lock(w.m);
  w.cv.wait(lock, [&] { return w.result.has_value(); });
  return std::move(*w.result);
}

}  // namespace isthmus
