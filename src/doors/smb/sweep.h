#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <unordered_map>

namespace isthmus::smb {

/// Drops what is over from a map that grows, whenever there is twice as much as was left the last time.
class Sweep {
 public:
  template <class Map, class IsOver>
  void operator()(Map& all, IsOver is_over) {
    if (all.size() < at_) return;
    std::erase_if(all, [&](const auto& entry) { return is_over(entry.second); });
    at_ = std::max<size_t>(64, all.size() * 2);
  }

 private:
  size_t at_ = 64;
};

}  // namespace isthmus::smb
