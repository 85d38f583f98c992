#pragma once
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vfs/node_table.h"
#include "wire/fuse/flags.h"
#include "wire/fuse/structs.h"

namespace isthmus::fuse_host {

/// A node of the daemon's: what its number means, as long as it has one meaning. A kernel's inode.
struct Node {
  Node(uint64_t i, uint64_t g, uint32_t t, uint32_t group) : id(i), generation(g), type(t), gid(group) {}
  const uint64_t id;                 ///< the daemon's number
  const uint64_t generation;         ///< of the number
  const uint32_t type;               ///< S_IFMT
  std::atomic<uint32_t> gid;         ///< as last heard
  std::atomic<uint64_t> size{0};     ///< the same
  std::atomic<uint32_t> changes{0};  ///< of its data, as far as they are known here
  std::atomic<Errno> bad{};          ///< what every use of it answers; Errno{}: it is good
};

/// The nodes that the daemon has been asked for, by our numbers and by its own, with the lookups it has counted of
/// each. A number that comes back with another type or generation is another node: the one before is stale (ESTALE). A
/// node of which something impossible is heard is bad for good (EIO). Any thread.
class Nodes {
 public:
  Nodes() { table_.emplace(1, wire::fuse::kRootId, uint64_t{0}, uint32_t{S_IFDIR}, uint32_t{0}); }

  /// The node of an entry that the daemon has counted once.
  NodeId enter(const wire::fuse::EntryOut& e);
  /// One that lives as long as the caller's lookup of it. EIO for a number that is not ours, or a bad node.
  Result<Node*> get(NodeId node, Op op) const;
  /// Also one that is bad.
  Node* find(NodeId node) const { return table_.find(node); }
  /// Ours, for the daemon's number; nothing: nobody has it.
  std::optional<NodeId> of_daemon(uint64_t id) const;
  /// A name by which a node was found: its directory, by the daemon's number.
  struct Name {
    uint64_t dir = 0;
    std::string name{};
    bool only = true;  ///< none was noted before
  };
  void note_name(uint64_t id, uint64_t dir, std::string_view name);
  /// The last that was noted.
  std::optional<Name> name_of(uint64_t id) const;
  /// `count` lookups less. The daemon's number; nothing for a node that is not there.
  std::optional<uint64_t> forget(NodeId node, uint64_t count);

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable std::mutex m;  // a leaf
    std::unordered_map<uint64_t, NodeId> nodes;
    std::unordered_map<uint64_t, Name> names;  // of those
  };
  Shard& shard_of(uint64_t id) { return shards_[id % kShards]; }

  NodeTable<Node> table_;
  std::array<Shard, kShards> shards_;
};

}  // namespace isthmus::fuse_host
