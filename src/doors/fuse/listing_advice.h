#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "vfs/types.h"

namespace isthmus::fuse {

/// Which listings bring attributes, where the kernel asks for them with all names (no READDIRPLUS_AUTO): most programs
/// look at what they have listed, and a name with its attributes costs a fraction of a LOOKUP. But each becomes an
/// inode in the kernel and a node here, so the first kMost names of a listing have them, and more only while somebody
/// looks up names of that directory. A hint: directories may share a slot, and calls may overtake each other. Any
/// thread.
class ListingAdvice {
 public:
  static constexpr uint32_t kMost = 8192;

  /// For the names of `dir` from `cookie` on.
  bool attributes(NodeId dir, uint64_t cookie) {
    Slot& s = slot(dir);
    if (cookie == 0) {
      s.dir.store(raw(dir), std::memory_order_relaxed);
      s.given.store(0, std::memory_order_relaxed);
      return true;
    }
    return s.dir.load(std::memory_order_relaxed) != raw(dir) || s.given.load(std::memory_order_relaxed) < kMost;
  }
  /// The kernel got so many names of `dir`.
  void gave(NodeId dir, size_t names) {
    Slot& s = slot(dir);
    if (s.dir.load(std::memory_order_relaxed) == raw(dir))
      s.given.fetch_add(static_cast<uint32_t>(names), std::memory_order_relaxed);
  }
  void looked_up(NodeId dir) {
    Slot& s = slot(dir);
    if (s.dir.load(std::memory_order_relaxed) == raw(dir) && s.given.load(std::memory_order_relaxed) >= kMost)
      s.given.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kSlots = 64;
  struct Slot {
    std::atomic<uint64_t> dir{0};
    std::atomic<uint32_t> given{0};
  };
  Slot& slot(NodeId dir) { return slots_[(raw(dir) ^ raw(dir) >> 32) % kSlots]; }

  std::array<Slot, kSlots> slots_;
};

}  // namespace isthmus::fuse
