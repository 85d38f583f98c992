#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "vfs/types.h"

namespace isthmus::volume {

/// Decides whether an answer of the provider may be cached although things were invalidated while it was under way.
/// Whoever asks takes the stamp before; whoever invalidates marks what changed, then removes it from the cache. What
/// was marked after the stamp may be older in the answer than in the file system. Many keys share a slot, so at times
/// an answer is not cached without need. No locks; any thread.
class ChangeClock {
 public:
  using Stamp = uint64_t;

  /// Before the provider is asked.
  Stamp now() const { return clock_.load(std::memory_order_acquire); }

  struct Marked {
    Stamp at;      ///< of this change
    Stamp before;  ///< of the newest one before it
  };
  /// After the provider's state has changed, before the cache's entry is removed.
  Marked mark(uint64_t key) {
    Stamp at = clock_.fetch_add(1, std::memory_order_acq_rel) + 1;
    return {at, raise(slots_[key % kSlots], at)};
  }
  void mark_all() { raise(all_, clock_.fetch_add(1, std::memory_order_acq_rel) + 1); }

  /// Has nothing been marked since? Asked under the lock that guards the cache's entry.
  bool unchanged(uint64_t key, Stamp since) const {
    return slots_[key % kSlots].load(std::memory_order_acquire) <= since &&
           all_.load(std::memory_order_acquire) <= since;
  }

 private:
  static constexpr size_t kSlots = 4096;
  static Stamp raise(std::atomic<Stamp>& slot, Stamp to) {
    Stamp have = slot.load(std::memory_order_relaxed);
    while (have < to && !slot.compare_exchange_weak(have, to, std::memory_order_acq_rel)) {
    }
    return have;
  }

  std::atomic<Stamp> clock_{0};
  std::atomic<Stamp> all_{0};
  std::array<std::atomic<Stamp>, kSlots> slots_{};
};

inline uint64_t key_of(NodeId n) { return (raw(n) * 0x9e3779b97f4a7c15u) >> 20; }
inline uint64_t key_of(NodeId dir, std::string_view name) {
  return std::hash<std::string_view>{}(name) ^ (raw(dir) * 0x9e3779b97f4a7c15u);
}

}  // namespace isthmus::volume
