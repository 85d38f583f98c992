#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace isthmus::fs::pass {

/// Numbers the extended attributes that files are asked for again and again and do not have, so that a node can keep in
/// one word which. The first 32 names; files are asked for others each time. Any thread; its mutex is a leaf.
class XattrNames {
 public:
  /// One bit, or none.
  uint32_t bit(std::string_view name) const {
    const unsigned n = count_.load(std::memory_order_acquire);
    for (unsigned i = 0; i < n; i++)
      if (names_[i] == name) return uint32_t{1} << i;
    return 0;
  }
  /// The bit that the name has from now on.
  uint32_t add(std::string_view name) {
    std::lock_guard lock(m_);
    if (const uint32_t known = bit(name)) return known;
    const unsigned n = count_.load(std::memory_order_relaxed);
    if (n == names_.size()) return 0;
    names_[n] = name;
    count_.store(n + 1, std::memory_order_release);
    return uint32_t{1} << n;
  }
  /// Of all that have one.
  uint32_t all() const { return static_cast<uint32_t>((uint64_t{1} << count_.load(std::memory_order_acquire)) - 1); }

 private:
  std::mutex m_;
  std::atomic<unsigned> count_{0};
  std::array<std::string, 32> names_;  // the first count_ do not change any more
};

}  // namespace isthmus::fs::pass
