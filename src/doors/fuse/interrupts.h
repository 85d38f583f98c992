#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace isthmus::fuse {

class Exchange;

/// Requests under way by their unique number, so that FUSE_INTERRUPT and the end of a session find them. Any thread;
/// nothing is called with a lock held. Exchanges link themselves: no allocation.
class Interrupts {
 public:
  /// The exchange as it is known from here on. Cancels it at once when its INTERRUPT has overtaken it.
  void add(Exchange& x);
  /// Before the answer is sent. Harmless for one that was never added.
  void remove(Exchange& x);
  /// With a reference that the caller drops; null: not here (yet, or any more), which is remembered for add().
  Exchange* find(uint64_t unique);
  /// All, each with a reference.
  std::vector<Exchange*> all();

 private:
  static constexpr size_t kShards = 16, kBuckets = 16, kEarly = 8;
  struct alignas(64) Shard {
    std::mutex m;  // leaf
    std::array<Exchange*, kBuckets> buckets{};
    std::array<uint64_t, kEarly> early{};  // interrupted before they were added; 0: free
    size_t next_early = 0;
  };
  static size_t hash(uint64_t unique) { return (unique * 0x9E3779B97F4A7C15u) >> 32; }
  Shard& shard(uint64_t unique) { return shards_[hash(unique) % kShards]; }
  static Exchange*& bucket(Shard& s, uint64_t unique) { return s.buckets[hash(unique) / kShards % kBuckets]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace isthmus::fuse
