#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace isthmus::smb {

/// The message ids that a client may use (MS-SMB2 section 3.3.1.1): it spends a credit for each, and gets new ones with
/// the answers. One thread at a time.
class Credits {
 public:
  static constexpr uint32_t kMost = 8192;  ///< that a client may have at once, as Samba's

  /// Spends `charge` ids from `first` on. False: one of them was spent before or never granted; the connection ends.
  bool spend(uint64_t first, uint32_t charge) {
    if (first < low_ || charge > end_ - low_ || first > end_ - charge) return false;
    for (uint64_t id = first; id < first + charge; id++)
      if (spent_[id % kWindow]) return false;
    for (uint64_t id = first; id < first + charge; id++) spent_[id % kWindow] = true;
    available_ -= charge;
    while (low_ < end_ && spent_[low_ % kWindow]) spent_[low_++ % kWindow] = false;
    return true;
  }
  /// How many are granted to one who asks for so many: at least one if it has none left.
  uint16_t grant(uint32_t asked) {
    const auto room = static_cast<uint32_t>(kWindow - (end_ - low_));
    const uint32_t n = std::min({std::max(asked, 1u), kMost - std::min(kMost, available_), room});
    end_ += n;
    available_ += n;
    return static_cast<uint16_t>(n);
  }
  uint32_t available() const { return available_; }

 private:
  /// Ids that were granted and come out of order.
  static constexpr uint64_t kWindow = uint64_t{2} * kMost;

  std::vector<bool> spent_ = std::vector<bool>(kWindow);
  uint64_t low_ = 0, end_ = 1;  // NEGOTIATE is message 0
  uint32_t available_ = 1;
};

}  // namespace isthmus::smb
