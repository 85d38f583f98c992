#pragma once
#include <mutex>
#include <string>
#include <vector>

namespace isthmus::webdav {

/// Memory of long texts, which is used again: fresh memory costs a fault for each page. Any thread; its mutex is a
/// leaf.
class SpareTexts {
 public:
  /// An empty string, with room if there is one to spare.
  std::string take() {
    std::lock_guard lock(m_);
    if (kept_.empty()) return {};
    std::string text = std::move(kept_.back());
    kept_.pop_back();
    return text;
  }
  void give(std::string text) {
    if (text.capacity() < kSmallest || text.capacity() > kLargest) return;
    text.clear();
    std::lock_guard lock(m_);
    if (kept_.size() < kMost) kept_.push_back(std::move(text));
  }

 private:
  static constexpr size_t kSmallest = size_t{64} << 10, kLargest = size_t{2} << 20, kMost = 4;
  std::mutex m_;
  std::vector<std::string> kept_;
};

}  // namespace isthmus::webdav
