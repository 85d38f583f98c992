#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/clock.h"
#include "vfs/types.h"

namespace isthmus::fuse {

/// Which listings bring attributes, where the kernel asks for them with all names (no READDIRPLUS_AUTO). A name with
/// its attributes costs a fraction of a LOOKUP, but becomes an inode in the kernel and a node here: wasted on who wants
/// names alone. The kernel cannot tell who will look at what he lists (find and du list a whole directory first), nor
/// can we, since what it got is looked at without us. So one name of each answer comes without attributes: whoever
/// looks it up looks at what is listed. The first names of a directory always have attributes, the rest while such a
/// look was seen lately.
/// A hint: directories may share a slot, and calls may overtake each other. Any thread.
class ListingAdvice {
 public:
  /// Of an answer; those with fewer names have attributes with all.
  static constexpr size_t kBare = 7;
  static constexpr int64_t kLatelyNs = 2'000'000'000;

  /// For the names from `cookie` on.
  bool attributes(uint64_t cookie) const {
    return cookie == 0 || monotonic_ns() - looked_.load(std::memory_order_relaxed) < kLatelyNs;
  }
  /// The kernel got `name` in `dir` without attributes, and others with them.
  void withheld(NodeId dir, std::string_view name) {
    Slot& s = slot(dir);
    s.dir.store(raw(dir), std::memory_order_relaxed);
    s.name.store(hash(name), std::memory_order_relaxed);
  }
  void looked_up(NodeId dir, std::string_view name) {
    Slot& s = slot(dir);
    if (s.dir.load(std::memory_order_relaxed) == raw(dir) && s.name.load(std::memory_order_relaxed) == hash(name))
      looked_.store(monotonic_ns(), std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kSlots = 256;
  struct Slot {
    std::atomic<uint64_t> dir{0}, name{0};
  };
  static uint64_t hash(std::string_view name) { return std::hash<std::string_view>{}(name); }
  Slot& slot(NodeId dir) { return slots_[(raw(dir) ^ raw(dir) >> 32) % kSlots]; }

  std::array<Slot, kSlots> slots_;
  std::atomic<int64_t> looked_{INT64_MIN / 2};
};

}  // namespace isthmus::fuse
