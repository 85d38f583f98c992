#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/rw_lock.h"

namespace isthmus::fs::mem {

constexpr size_t kPage = 4096;

/// Memory in pages of 4 KiB, cut from slabs of 2 MiB straight from the system, so that what files hold is what they are
/// charged for and goes back to the system when they shrink. One pool a process; any thread.
class PagePool {
 public:
  static PagePool& instance();
  /// The page's content is whatever it was. Throws bad_alloc.
  std::byte* take();
  void give(std::byte* page) noexcept;
  /// Bytes of slabs held from the system; for tests.
  size_t mapped() const;

 private:
  struct Slab;
  struct alignas(64) Shard {
    mutable RwLock m;         // a leaf lock
    Slab* partial = nullptr;  // slabs with free pages, doubly linked
    Slab* spare = nullptr;    // one slab without users, kept against ping-pong
    size_t slabs = 0;
  };
  static constexpr size_t kShards = 64;
  static void link(Shard& s, Slab* slab);
  static void unlink(Shard& s, Slab* slab);
  static Slab* map(unsigned shard);

  std::array<Shard, kShards> shards_;
};

}  // namespace isthmus::fs::mem
