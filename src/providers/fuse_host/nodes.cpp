#include "providers/fuse_host/nodes.h"

#include "base/log.h"

namespace isthmus::fuse_host {

using wire::fuse::EntryOut;

NodeId Nodes::enter(const EntryOut& e) {
  const uint32_t type = e.attr.mode & S_IFMT;
  Shard& s = shard_of(e.nodeid);
  std::lock_guard lock(s.m);
  auto [at, fresh] = s.nodes.try_emplace(e.nodeid);
  if (!fresh) {
    Node& n = *table_.find(at->second);
    if (n.type == type && n.generation == e.generation && n.bad.load(std::memory_order_relaxed) == Errno{}) {
      n.gid.store(e.attr.gid, std::memory_order_relaxed);
      n.size.store(e.attr.size, std::memory_order_relaxed);
      NodeTable<Node>::add_lookup(n);
      return at->second;
    }
    Errno good{};
    n.bad.compare_exchange_strong(good, err(ESTALE), std::memory_order_relaxed);
  }
  const auto made = table_.emplace(1, e.nodeid, e.generation, type, e.attr.gid);
  made.node->size.store(e.attr.size, std::memory_order_relaxed);
  return at->second = made.id;
}

Result<Node*> Nodes::get(NodeId node, Op op) const {
  auto n = table_.get(node, op);
  if (!n) return n;
  if (const Errno bad = (*n)->bad.load(std::memory_order_relaxed); bad != Errno{}) return bad;
  return n;
}

std::optional<NodeId> Nodes::of_daemon(uint64_t id) const {
  if (id == wire::fuse::kRootId) return NodeId::root;
  const Shard& s = shards_[id % kShards];
  std::lock_guard lock(s.m);
  auto at = s.nodes.find(id);
  return at == s.nodes.end() ? std::nullopt : std::optional(at->second);
}

void Nodes::note_name(uint64_t id, uint64_t dir, std::string_view name) {
  Shard& s = shard_of(id);
  std::lock_guard lock(s.m);
  if (!s.nodes.contains(id)) return;
  auto [at, fresh] = s.names.try_emplace(id, Name{dir, std::string(name)});
  if (!fresh && (at->second.dir != dir || at->second.name != name)) at->second = {dir, std::string(name), false};
}

std::optional<Nodes::Name> Nodes::name_of(uint64_t id) const {
  const Shard& s = shards_[id % kShards];
  std::lock_guard lock(s.m);
  const auto at = s.names.find(id);
  return at == s.names.end() ? std::nullopt : std::optional(at->second);
}

std::optional<uint64_t> Nodes::forget(NodeId node, uint64_t count) {
  Node* n = node == NodeId::root ? nullptr : table_.find(node);
  if (!n) return {};
  const uint64_t id = n->id;
  Shard& s = shard_of(id);
  std::lock_guard lock(s.m);
  if (NodeTable<Node>::forget(*n, count)) {
    if (auto at = s.nodes.find(id); at != s.nodes.end() && at->second == node) {
      s.nodes.erase(at);
      s.names.erase(id);
    }
    table_.erase(node);
  }
  return id;
}

}  // namespace isthmus::fuse_host
