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
      NodeTable<Node>::add_lookup(n);
      return at->second;
    }
    Errno good{};
    n.bad.compare_exchange_strong(good, err(ESTALE), std::memory_order_relaxed);
  }
  return at->second = table_.emplace(1, e.nodeid, e.generation, type, e.attr.gid).id;
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

std::optional<uint64_t> Nodes::forget(NodeId node, uint64_t count) {
  Node* n = node == NodeId::root ? nullptr : table_.find(node);
  if (!n) return {};
  const uint64_t id = n->id;
  Shard& s = shard_of(id);
  std::lock_guard lock(s.m);
  if (NodeTable<Node>::forget(*n, count)) {
    if (auto at = s.nodes.find(id); at != s.nodes.end() && at->second == node) s.nodes.erase(at);
    table_.erase(node);
  }
  return id;
}

}  // namespace isthmus::fuse_host
