#pragma once
#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vfs/volume/change_clock.h"

namespace isthmus::volume {

/// Where nodes were seen last: the paths of events come from it. Bounded: others make room for new ones. Any thread;
/// the shards' mutexes are leaves.
class Places {
 public:
  struct Place {
    NodeId dir = NodeId::none;  ///< none: it has no name any more
    std::string name;
  };
  explicit Places(size_t most) : per_shard_(most / kShards + 1) {}

  void set(NodeId node, NodeId dir, std::string_view name) {
    if (node == NodeId::none || node == NodeId::root) return;
    Shard& s = shard_of(node);
    std::lock_guard lock(s.m);
    auto [it, fresh] = s.places.try_emplace(node);
    if (!fresh && it->second.dir == dir && it->second.name == name) return;
    it->second = {dir, std::string(name)};
    if (fresh && s.places.size() > per_shard_) {
      auto victim = s.places.begin();
      if (victim == it) ++victim;
      if (victim != s.places.end()) s.places.erase(victim);
    }
  }
  /// Nothing, when it is somewhere else by now. `last`: it has no other name.
  void remove(NodeId node, NodeId dir, std::string_view name, bool last) {
    Shard& s = shard_of(node);
    std::lock_guard lock(s.m);
    auto it = s.places.find(node);
    if (it == s.places.end() || it->second.dir != dir || it->second.name != name) return;
    if (last)
      it->second = {};
    else
      s.places.erase(it);
  }
  std::optional<Place> find(NodeId node) const {
    const Shard& s = shards_[key_of(node) % kShards];
    std::lock_guard lock(s.m);
    auto it = s.places.find(node);
    if (it == s.places.end() || it->second.dir == NodeId::none) return {};
    return it->second;
  }
  /// The directory alone; none: it has no name any more. Nothing: nobody knows.
  std::optional<NodeId> dir_of(NodeId node) const {
    const Shard& s = shards_[key_of(node) % kShards];
    std::lock_guard lock(s.m);
    auto it = s.places.find(node);
    return it == s.places.end() ? std::nullopt : std::optional(it->second.dir);
  }

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable std::mutex m;
    std::unordered_map<NodeId, Place> places;
  };
  Shard& shard_of(NodeId n) { return shards_[key_of(n) % kShards]; }

  const size_t per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace isthmus::volume
