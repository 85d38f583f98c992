#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/rw_lock.h"

namespace isthmus {

/// Memory for the slots of a NodeTable: numbered from 1, found by number without a lock, never moved. Slots come in
/// groups, and each group belongs to a shard, from which threads take: threads that make and erase things of their own
/// share no lock and no line of memory. A group without users gives its memory back to the system, but for its count of
/// uses, so that ids stay unique.
class SlotGroups {
 public:
  static constexpr uint32_t kGroup = 512;  // slots

  /// `size` of a slot in bytes, a multiple of 8; at most alignof(max_align_t).
  explicit SlotGroups(size_t size) : size_(size) {}
  ~SlotGroups();
  SlotGroups(const SlotGroups&) = delete;
  SlotGroups& operator=(const SlotGroups&) = delete;

  struct Taken {
    uint32_t index;
    uint32_t
        generation;  // differs from that of all earlier users of the slot (until 2^32 were given back in its group)
    std::byte* slot;
  };
  /// Throws bad_alloc.
  Taken take();
  void give(uint32_t index) noexcept;

  /// Null for an index whose chunk was never used. May be read whether or not somebody uses the slot: the first 16
  /// bytes are zero until its first user writes them, and as its last one left them (or zero) while it has none.
  std::byte* find(uint32_t index) const {
    auto [chunk, at] = place(index);
    std::byte* all = chunks_[chunk].slots.load(std::memory_order_acquire);
    return all ? all + size_t{at} * size_ : nullptr;
  }
  /// f(slot) for every slot that was ever given out since its group had memory. With no other thread around.
  template <class F>
  void for_each(F f) const {
    for (uint32_t g = 0; g < groups_; g++)
      for (uint32_t i = 0, n = group(g).fresh; i < n; i++)
        if (g || i) f(find(g * kGroup + i));
  }
  /// How many are given out, at about this moment.
  size_t live() const;

 private:
  struct Shard;
  // Guarded by its shard's mutex; without a shard by m_.
  struct alignas(64) Group {
    Shard* shard = nullptr;
    Group *next = nullptr, *prev = nullptr;  // among the shard's groups with free slots
    uint32_t first = 0;                      // index of its first slot
    uint32_t generation = 0;
    uint32_t free = 0;   // a linked list through the free slots, by index in the group, plus one
    uint32_t fresh = 0;  // slots from here on were never given out since the group got its memory
    uint32_t used = 0;
  };
  struct alignas(64) Shard {
    mutable RwLock m;  // a leaf
    Group* partial = nullptr;
    Group* spare = nullptr;  // one group without users, kept against ping-pong
    size_t live = 0;
  };
  // Chunk k holds kFirst << k slots, so that 22 chunks reach 2^32. Their memory is untouched until it is used.
  struct Chunk {
    std::atomic<std::byte*> slots{nullptr};
    Group* groups = nullptr;
  };
  static constexpr uint32_t kFirst = 1024;
  static constexpr size_t kChunks = 23, kShards = 64;

  static std::pair<unsigned, uint32_t> place(uint32_t index) {
    uint64_t q = uint64_t{index} / kFirst + 1;
    unsigned chunk = static_cast<unsigned>(std::bit_width(q)) - 1;
    return {chunk, static_cast<uint32_t>(index - ((uint64_t{1} << chunk) - 1) * kFirst)};
  }
  Group& group(uint32_t number) const {
    auto [chunk, at] = place(number * kGroup);
    return chunks_[chunk].groups[at / kGroup];
  }
  uint32_t& link(std::byte* slot) const { return *reinterpret_cast<uint32_t*>(slot + size_ - 8); }
  Group* new_group();
  void retire(Group& g) noexcept;
  static void enlist(Shard& s, Group& g);
  static void delist(Shard& s, Group& g);

  const size_t size_;
  std::array<Chunk, kChunks> chunks_;
  std::array<Shard, kShards> shards_;
  std::mutex m_;                // guards what follows and the making of chunks; inside a shard's mutex
  std::vector<Group*> unused_;  // groups without a shard
  uint32_t groups_ = 0;
};

}  // namespace isthmus
