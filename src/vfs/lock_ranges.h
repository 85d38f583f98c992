#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "vfs/types.h"

namespace isthmus {

/// The byte-range locks held on one file: the arithmetic of fcntl(2) without threads or waiting. Ranges of one owner
/// never overlap, and touching ones of one type are one.
class LockRanges {
 public:
  struct Held {
    Lock lock;
    HandleId handle = HandleId::none;  ///< through which it was taken last
  };

  /// The first range (by start) of another owner that excludes `want`, or null. Valid until the next change.
  const Held* conflict(const Lock& want) const;
  /// All other owners in the way of `want`.
  void blockers(const Lock& want, std::vector<uint64_t>& owners) const;
  /// Replaces what want.owner holds in the range (type unlock: by nothing). The caller has excluded conflicts. Returns
  /// by how much the number of ranges grew (or shrank). Strong guarantee.
  ptrdiff_t set(const Lock& want, HandleId handle);
  /// Removes all of one owner, all of one handle; returns how many.
  size_t remove_owner(uint64_t owner);
  size_t remove_handle(HandleId handle);

  bool empty() const { return held_.empty(); }
  size_t size() const { return held_.size(); }
  const std::vector<Held>& all() const { return held_; }

 private:
  std::vector<Held> held_;  // by start
};

}  // namespace isthmus
