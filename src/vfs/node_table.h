#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "base/log.h"
#include "vfs/ops.h"
#include "vfs/slot_groups.h"

namespace isthmus {

/// A provider's nodes by NodeId, with their lookup counts (docs/node_lifetime.md). Finding one takes no lock and no
/// hash: the id holds the slot's index (low 32 bits) and a count of uses, so an id that was forgotten is never mistaken
/// for a newer node. Nodes keep their address until erased; at most 2^32 - 512 at a time. The root is made first and
/// gets NodeId::root.
///
/// The table guards itself. Who erases must know that nobody uses the node: a door gives its last lookup back only
/// after its last operation on the node, and a provider that finds nodes by other keys too (a hash of inode numbers)
/// does the add_lookup and the forget-and-erase under that hash's lock. Threads that make and erase nodes of their own
/// do not meet (slot_groups.h).
template <class N>
class NodeTable {
 public:
  struct Made {
    NodeId id;
    N* node;
  };

  NodeTable() : slots_(sizeof(Slot)) {
    static_assert(alignof(Slot) <= alignof(std::max_align_t) && sizeof(Slot) >= 24);
  }
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;
  ~NodeTable() {
    slots_.for_each([](std::byte* bytes) {
      Slot& s = *reinterpret_cast<Slot*>(bytes);
      if (s.id.load(std::memory_order_relaxed)) std::destroy_at(s.node());
    });
  }

  /// Makes a node with `lookups` counted. Throws what the constructor throws, and bad_alloc.
  template <class... A>
  Made emplace(uint64_t lookups, A&&... args) {
    Made made = prepare(std::forward<A>(args)...);
    publish(made, lookups);
    return made;
  }
  /// The same in two steps, for a node that must be complete before anybody can find it by its number: until publish()
  /// or discard() only the caller knows it.
  template <class... A>
  Made prepare(A&&... args) {
    auto taken = slots_.take();
    Slot& s = *reinterpret_cast<Slot*>(taken.slot);
    try {
      N* n = ::new (static_cast<void*>(s.bytes)) N(std::forward<A>(args)...);
      return {NodeId{(uint64_t{taken.generation} << 32) | taken.index}, n};
    } catch (...) {
      slots_.give(taken.index);
      throw;
    }
  }
  void publish(const Made& made, uint64_t lookups) {
    Slot& s = slot(*made.node);
    s.lookups.store(lookups, std::memory_order_relaxed);
    s.id.store(raw(made.id), std::memory_order_release);
  }
  void discard(const Made& made) {
    std::destroy_at(made.node);
    slots_.give(static_cast<uint32_t>(raw(made.id)));
  }

  /// The id of a published node.
  static NodeId id_of(const N& n) { return NodeId{slot(n).id.load(std::memory_order_relaxed)}; }
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
  /// For a node known by its number alone: the node, counted once more, or null when it has gone, or is about to (no
  /// lookup is left). Nodes may be made and erased meanwhile. `stray` is set when the count was put on a newer user of
  /// the slot: the caller gives it back at once, as its own (it may be the last one).
  N* revive(NodeId id, N*& stray) {
    stray = nullptr;
    Slot* s = slot_of(id);
    if (!s) return nullptr;
    uint64_t have = s->lookups.load(std::memory_order_relaxed);
    do
      if (have == 0) return nullptr;
    while (!s->lookups.compare_exchange_weak(have, have + 1, std::memory_order_acq_rel));
    if (s->id.load(std::memory_order_acquire) == raw(id)) return s->node();
    stray = s->node();
    return nullptr;
  }

  /// The caller knows that a lookup is counted already.
  static void add_lookup(N& node, uint64_t n = 1) { slot(node).lookups.fetch_add(n, std::memory_order_relaxed); }
  /// False when the id is unknown.
  bool add_lookup(NodeId id, uint64_t n = 1) {
    Slot* s = slot_of(id);
    if (s) s->lookups.fetch_add(n, std::memory_order_relaxed);
    return s != nullptr;
  }
  /// True when this gave the last lookup back. Giving back more than there were is logged and counts as all.
  static bool forget(N& node, uint64_t n) { return forget(slot(node), n); }
  bool forget(NodeId id, uint64_t n) {
    Slot* s = slot_of(id);
    return s && forget(*s, n);
  }
  static uint64_t lookups(const N& node) { return slot(node).lookups.load(std::memory_order_acquire); }
  uint64_t lookups(NodeId id) const {
    Slot* s = slot_of(id);
    return s ? s->lookups.load(std::memory_order_acquire) : 0;
  }

  void erase(NodeId id) {
    Slot* s = slot_of(id);
    if (!s) return;
    s->id.store(0, std::memory_order_release);
    s->lookups.store(0, std::memory_order_relaxed);
    std::destroy_at(s->node());
    slots_.give(static_cast<uint32_t>(raw(id)));
  }

  size_t size() const { return slots_.live(); }

 private:
  struct Slot {
    std::atomic<uint64_t> id;  // 0: free, or not published
    std::atomic<uint64_t> lookups;
    alignas(N) std::byte bytes[sizeof(N)];
    N* node() { return std::launder(reinterpret_cast<N*>(bytes)); }
  };

  static Slot& slot(const N& n) {
    return *reinterpret_cast<Slot*>(const_cast<std::byte*>(reinterpret_cast<const std::byte*>(&n)) -
                                    offsetof(Slot, bytes));
  }
  Slot* slot_of(NodeId id) const {
    auto* s = reinterpret_cast<Slot*>(slots_.find(static_cast<uint32_t>(raw(id))));
    return s && raw(id) && s->id.load(std::memory_order_acquire) == raw(id) ? s : nullptr;
  }
  static bool forget(Slot& s, uint64_t n) {
    uint64_t have = s.lookups.load(std::memory_order_relaxed);
    while (!s.lookups.compare_exchange_weak(have, have > n ? have - n : 0, std::memory_order_acq_rel)) {
    }
    if (n > have)
      log(LogLevel::error, "forget: {} lookups of node {:#x} given back, {} counted", n,
          s.id.load(std::memory_order_relaxed), have);
    return n >= have && have > 0;
  }

  SlotGroups slots_;
};

}  // namespace isthmus
