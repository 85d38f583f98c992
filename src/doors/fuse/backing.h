#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "doors/fuse/policy.h"
#include "doors/fuse/transport.h"
#include "vfs/types.h"
#include "wire/fuse/structs.h"

namespace isthmus::fuse {

/// Open files whose data the kernel reads and writes by itself, in the file that the provider has open (FUSE
/// passthrough, Linux 6.9, `-o passthrough`). The kernel wants all opens of one node to agree: the first decides for as
/// long as any is open, and all share one registration, which ends with the last. Any thread.
class Backing {
 public:
  explicit Backing(Transport& transport) : transport_(transport) {}

  /// At INIT, before the first open.
  void begin(const Policy& policy) { on_ = policy.has(wire::fuse::kInitPassthrough); }
  /// Makes `out`, the answer to an open of `node` with `flags` (open(2)), a passthrough one if that can be, and counts
  /// it. Every open that the kernel hears of goes through here, and comes back by closed() once. EINVAL: O_DIRECT, and
  /// the store has no direct I/O; not counted.
  Status opened(NodeId node, const Opened& o, uint32_t flags, wire::fuse::OpenOut& out);
  /// RELEASE came, or the kernel never got the answer to an open.
  void closed(NodeId node);

 private:
  struct File {
    uint32_t opens = 0;
    int32_t id = 0;  // of the kernel; 0: these opens are served by us
  };
  struct alignas(64) Shard {
    std::mutex m;  // guards files; a leaf
    std::unordered_map<uint64_t, File> files;
  };
  static constexpr size_t kShards = 16;
  Shard& shard(NodeId n) { return shards_[(raw(n) ^ raw(n) >> 32) % kShards]; }
  int32_t add(int fd);

  Transport& transport_;
  bool on_ = false;
  std::atomic<bool> works_{true};    // false: this kernel, process or store cannot, do not ask again
  std::atomic<bool> worked_{false};  // once
  std::array<Shard, kShards> shards_;
};

}  // namespace isthmus::fuse
