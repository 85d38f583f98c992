#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "base/log.h"
#include "vfs/ops.h"

namespace isthmus {

/// A provider's nodes by NodeId, with their lookup counts (docs/node_lifetime.md). Finding one takes no lock and no
/// hash: the id holds the slot's index (low 32 bits) and how often the slot was used before, so an id that was
/// forgotten is never mistaken for a newer node. Nodes keep their address until erased; at most 2^32 - 2 at a time. The
/// root is made first and gets NodeId::root.
///
/// The table guards itself. Who erases must know that nobody uses the node: a door gives its last lookup back only
/// after its last operation on the node, and a provider that finds nodes by other keys too (a hash of inode numbers)
/// does the add_lookup and the forget-and-erase under that hash's lock.
template <class N>
class NodeTable {
 public:
  struct Made {
    NodeId id;
    N* node;
  };

  NodeTable() = default;
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;
  ~NodeTable() {
    for (uint32_t i = 1; i < next_; i++)
      if (Slot& s = slot(i); s.id.load(std::memory_order_relaxed)) std::destroy_at(s.node());
  }

  /// Makes a node with `lookups` counted. Throws what the constructor throws, and bad_alloc.
  template <class... A>
  Made emplace(uint64_t lookups, A&&... args) {
    uint32_t index = take_slot();
    Slot& s = slot(index);
    N* n = nullptr;
    try {
      n = ::new (static_cast<void*>(s.bytes)) N(std::forward<A>(args)...);
    } catch (...) {
      give_slot(index);
      throw;
    }
    uint64_t id = (uint64_t{s.used} << 32) | index;
    s.lookups.store(lookups, std::memory_order_relaxed);
    s.id.store(id, std::memory_order_release);
    live_.fetch_add(1, std::memory_order_relaxed);
    return {NodeId{id}, n};
  }

  /// Null for an id that is not (or no longer) a node.
  N* find(NodeId id) const {
    Slot* s = slot_of(id);
    return s ? s->node() : nullptr;
  }
  /// For operations: an unknown id is a mistake of the door or the provider, logged, EIO.
  Result<N*> get(NodeId id, Op op) const {
    if (N* n = find(id)) return n;
    log(LogLevel::error, "{}: unknown node {:#x}; the caller gets EIO", name_of(op), raw(id));
    return err(EIO);
  }

  /// False when the id is unknown.
  bool add_lookup(NodeId id, uint64_t n = 1) {
    Slot* s = slot_of(id);
    if (s) s->lookups.fetch_add(n, std::memory_order_relaxed);
    return s != nullptr;
  }
  /// Only when some are counted already: for a node found by its number alone. The caller sees to it that no node is
  /// erased meanwhile.
  bool add_lookup_if_any(NodeId id) {
    Slot* s = slot_of(id);
    if (!s) return false;
    uint64_t have = s->lookups.load(std::memory_order_relaxed);
    while (have && !s->lookups.compare_exchange_weak(have, have + 1, std::memory_order_acq_rel)) {
    }
    return have != 0;
  }
  /// True when this gave the last lookup back. Giving back more than there were is logged and counts as all.
  bool forget(NodeId id, uint64_t n) {
    Slot* s = slot_of(id);
    if (!s) return false;
    uint64_t have = s->lookups.load(std::memory_order_relaxed);
    while (!s->lookups.compare_exchange_weak(have, have > n ? have - n : 0, std::memory_order_acq_rel)) {
    }
    if (n > have) log(LogLevel::error, "forget: {} lookups of node {:#x} given back, {} counted", n, raw(id), have);
    return n >= have && have > 0;
  }
  uint64_t lookups(NodeId id) const {
    Slot* s = slot_of(id);
    return s ? s->lookups.load(std::memory_order_acquire) : 0;
  }

  void erase(NodeId id) {
    Slot* s = slot_of(id);
    if (!s) return;
    s->id.store(0, std::memory_order_release);
    std::destroy_at(s->node());
    live_.fetch_sub(1, std::memory_order_relaxed);
    give_slot(static_cast<uint32_t>(raw(id)));
  }

  size_t size() const { return live_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    std::atomic<uint64_t> id{0};  // 0: free
    std::atomic<uint64_t> lookups{0};
    uint32_t used = 0;
    uint32_t next_free = 0;
    alignas(N) std::byte bytes[sizeof(N)];
    N* node() { return std::launder(reinterpret_cast<N*>(bytes)); }
  };
  // Chunk k holds kFirst << k slots, so that 22 chunks reach 2^32 and none ever moves.
  static constexpr uint32_t kFirst = 1024;
  static constexpr size_t kChunks = 23;

  static std::pair<unsigned, uint32_t> place(uint32_t index) {
    uint64_t q = uint64_t{index} / kFirst + 1;
    unsigned chunk = static_cast<unsigned>(std::bit_width(q)) - 1;
    return {chunk, static_cast<uint32_t>(index - ((uint64_t{1} << chunk) - 1) * kFirst)};
  }
  Slot& slot(uint32_t index) const {
    auto [chunk, at] = place(index);
    return chunks_[chunk].load(std::memory_order_acquire)[at];
  }
  Slot* slot_of(NodeId id) const {
    auto index = static_cast<uint32_t>(raw(id));
    if (index == 0) return nullptr;
    auto [chunk, at] = place(index);
    Slot* all = chunks_[chunk].load(std::memory_order_acquire);
    if (!all || all[at].id.load(std::memory_order_acquire) != raw(id)) return nullptr;
    return &all[at];
  }
  uint32_t take_slot() {
    std::lock_guard lock(m_);
    if (free_) {
      uint32_t index = free_;
      free_ = slot(index).next_free;
      return index;
    }
    if (next_ == UINT32_MAX) throw std::bad_alloc();
    auto [chunk, at] = place(next_);
    if (!chunks_[chunk].load(std::memory_order_relaxed)) {
      owned_.push_back(std::make_unique<Slot[]>(size_t{kFirst} << chunk));
      chunks_[chunk].store(owned_.back().get(), std::memory_order_release);
    }
    return next_++;
  }
  void give_slot(uint32_t index) {
    std::lock_guard lock(m_);
    Slot& s = slot(index);
    s.used++;
    s.next_free = free_;
    free_ = index;
  }

  std::mutex m_;  // guards owned_, free_, next_ and free slots; a leaf lock
  std::array<std::atomic<Slot*>, kChunks> chunks_{};
  std::vector<std::unique_ptr<Slot[]>> owned_;
  uint32_t free_ = 0, next_ = 1;
  std::atomic<size_t> live_{0};
};

}  // namespace isthmus
