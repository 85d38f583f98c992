#pragma once
#include <atomic>
#include <mutex>
#include <set>

#include "base/result.h"

namespace isthmus::smb {

/// What is logged once for each reason, until it works again. Any thread.
class Troubles {
 public:
  /// Of whatever has come of it: a failure that has not been told.
  bool is_news(const Status& done) {
    if (done && !some_.load(std::memory_order_relaxed)) return false;
    std::lock_guard lock(m_);
    if (done) told_.clear();
    const bool news = !done && told_.insert(done.code()).second;
    some_.store(!told_.empty(), std::memory_order_relaxed);
    return news;
  }

 private:
  std::atomic<bool> some_{false};
  std::mutex m_;  // a leaf
  std::set<int> told_;
};

}  // namespace isthmus::smb
