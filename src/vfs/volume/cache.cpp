#include "vfs/volume/cache.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace isthmus::volume {

int64_t end_of(Ttl ttl, int64_t now) {
  return ttl == kForever ? INT64_MAX : ttl == 0 ? 0 : now + int64_t{ttl} * 1'000'000;
}

namespace {
Ttl ttl_left(int64_t until, int64_t now) {
  if (until == INT64_MAX) return kForever;
  return until <= now ? 0 : static_cast<Ttl>(std::min<int64_t>((until - now) / 1'000'000, kForever - 1));
}
}  // namespace

Cache::Cache(size_t names) : listings_(clock_, names), per_shard_(std::max<size_t>(names / kShards, 1)) {
  nodes_of(NodeId::root).nodes[NodeId::root].users = 1;  // there from start() to stop(), never forgotten
}

Cache::~Cache() = default;

// ---- hits ----

std::optional<Entry> Cache::find(NodeId dir, std::string_view name, int64_t now, bool stale_will_do) {
  NameShard& s = names_of(dir, name);
  std::lock_guard lock(s.m);
  auto it = s.index.find({dir, name});
  if (it == s.index.end() || it->second->until <= now) return {};
  const Name& n = *it->second;
  Entry e;
  e.entry_ttl = ttl_left(n.until, now);
  if (n.node != NodeId::none) {
    NodeShard& ns = nodes_of(n.node);
    std::lock_guard node_lock(ns.m);
    Node& node = ns.nodes.at(n.node);
    if (node.until <= now || (node.data_stale && !stale_will_do)) return {};
    e.node = n.node;
    e.generation = node.generation;
    e.attr = node.attr;
    e.attr_ttl = ttl_left(node.until, now);
    node.users++;
  }
  s.recent.splice(s.recent.begin(), s.recent, it->second);
  return e;
}

int64_t Cache::believed_until(NodeId dir, std::string_view name, NodeId node, int64_t now) {
  NameShard& s = names_of(dir, name);
  std::lock_guard lock(s.m);
  const auto it = s.index.find({dir, name});
  return it == s.index.end() || it->second->node != node || it->second->until <= now ? 0 : it->second->until;
}

bool Cache::knows(NodeId dir, std::string_view name, int64_t now) {
  NameShard& s = names_of(dir, name);
  std::lock_guard lock(s.m);
  const auto it = s.index.find({dir, name});
  if (it == s.index.end() || it->second->until <= now) return false;
  const NodeId node = it->second->node;
  if (node == NodeId::none) return true;
  NodeShard& ns = nodes_of(node);
  std::lock_guard node_lock(ns.m);
  const Node& n = ns.nodes.at(node);
  return n.until > now && !n.data_stale;
}

std::optional<Attributes> Cache::attributes(NodeId node, int64_t now) {
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  auto it = s.nodes.find(node);
  if (it == s.nodes.end() || it->second.until <= now || it->second.data_stale) return {};
  return Attributes{it->second.attr, ttl_left(it->second.until, now)};
}

std::optional<Rules> Cache::rules(NodeId node, int64_t now, bool need_acl) {
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  auto it = s.nodes.find(node);
  if (it == s.nodes.end() || it->second.until <= now || (need_acl && !it->second.acl_known)) return {};
  const Node& n = it->second;
  return Rules{n.attr.mode, n.attr.uid, n.attr.gid, n.acl};
}

// ---- answers ----

void Cache::put_attr(Node& n, NodeId id, const Attr& a, Ttl ttl, int64_t now, Stamp since) {
  if (ttl == 0 || !clock_.unchanged(key_of(id), since)) return;
  if (n.attr.mode != a.mode || n.attr.uid != a.uid || n.attr.gid != a.gid || n.attr.ctime != a.ctime)
    n.acl_known = false, n.acl = nullptr;
  n.attr = a;
  n.until = end_of(ttl, now);
  n.data_stale = false;
}

void Cache::enter(const Entry& e, int64_t now, Stamp since) {
  NodeShard& s = nodes_of(e.node);
  std::lock_guard lock(s.m);
  Node& n = s.nodes[e.node];
  n.lookups++;
  n.users++;
  n.generation = e.generation;
  put_attr(n, e.node, e.attr, e.attr_ttl, now, since);
}

void Cache::enter_name(NodeId dir, std::string_view name, const Entry& e, int64_t now, Stamp name_since,
                       Stamp attr_since, Forgets& out) {
  if (e.node != NodeId::none) enter(e, now, attr_since);
  if (e.entry_ttl != 0) put_name(dir, name, e.node, end_of(e.entry_ttl, now), name_since, out);
}

void Cache::put_name(NodeId dir, std::string_view name, NodeId node, int64_t until, Stamp since, Forgets& out) {
  NameShard& s = names_of(dir, name);
  std::lock_guard lock(s.m);
  if (!clock_.unchanged(key_of(dir, name), since)) return;
  if (auto it = s.index.find({dir, name}); it != s.index.end()) remove(s, it->second, out);
  s.recent.push_front({dir, std::string(name), node, until});
  s.index.emplace(Key{dir, s.recent.front().name}, s.recent.begin());
  if (node != NodeId::none) hold(node);  // there: the caller is a user
  if (s.recent.size() > per_shard_) remove(s, std::prev(s.recent.end()), out);
}

void Cache::learn(NodeId node, const Attributes& a, int64_t now, Stamp since) {
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  if (auto it = s.nodes.find(node); it != s.nodes.end()) put_attr(it->second, node, a.attr, a.ttl, now, since);
}

void Cache::learn_acl(NodeId node, std::shared_ptr<const PosixAcl> acl, Stamp since) {
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  auto it = s.nodes.find(node);
  if (it == s.nodes.end() || !clock_.unchanged(key_of(node), since)) return;
  it->second.acl = std::move(acl);
  it->second.acl_known = true;
}

// ---- users ----

void Cache::hold(NodeId node, uint64_t users) {
  if (node == NodeId::root) return;
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  s.nodes[node].users += users;
}

void Cache::leave(NodeId node, uint64_t users, Forgets& out) {
  if (node == NodeId::root || users == 0) return;
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  auto it = s.nodes.find(node);
  uint64_t have = it == s.nodes.end() ? 0 : it->second.users;
  if (users > have)
    log(LogLevel::error, "volume: {} lookups of node {:#x} given back, {} counted", users, raw(node), have);
  if (it == s.nodes.end()) return;
  it->second.users -= std::min(users, have);
  if (it->second.users) return;
  if (it->second.lookups) out.emplace_back(node, it->second.lookups);
  const bool may_list = !S_ISREG(it->second.attr.mode);
  s.nodes.erase(it);
  if (may_list) listings_.drop(node);  // the number may come to mean another
}

// With the shard's mutex held.
void Cache::remove(NameShard& s, Recent::iterator at, Forgets& out) {
  NodeId node = at->node;
  s.index.erase({at->dir, at->name});
  s.recent.erase(at);
  if (node != NodeId::none) leave(node, 1, out);
}

// ---- invalidation ----

NodeId Cache::invalidate_name(NodeId dir, std::string_view name, Forgets& out, ChangeClock::Marked* marked) {
  auto m = clock_.mark(key_of(dir, name));
  if (marked) *marked = m;
  listings_.drop(dir);
  NameShard& s = names_of(dir, name);
  std::lock_guard lock(s.m);
  auto it = s.index.find({dir, name});
  if (it == s.index.end()) return NodeId::none;
  NodeId node = it->second->node;
  if (node != NodeId::none) hold(node);
  remove(s, it->second, out);
  return node;
}

void Cache::invalidate_names(Forgets& out) {
  clock_.mark_all();
  listings_.drop_all();
  for (NameShard& s : names_) {
    std::lock_guard lock(s.m);
    while (!s.recent.empty()) remove(s, s.recent.begin(), out);
  }
}

ChangeClock::Marked Cache::invalidate_attributes(NodeId node) {
  auto m = clock_.mark(key_of(node));
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  if (auto it = s.nodes.find(node); it != s.nodes.end()) {
    it->second.until = 0;
    it->second.acl_known = false;
    it->second.acl = nullptr;
  }
  return m;
}

ChangeClock::Marked Cache::invalidate_data(NodeId node) {
  auto m = clock_.mark(key_of(node));
  NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  if (auto it = s.nodes.find(node); it != s.nodes.end()) it->second.data_stale = true;
  return m;
}

// ---- the end ----

void Cache::clear(Forgets& out) {
  invalidate_names(out);
  for (NodeShard& s : nodes_) {
    std::lock_guard lock(s.m);
    for (auto& [id, n] : s.nodes)
      if (id != NodeId::root && n.lookups) out.emplace_back(id, n.lookups);
    std::erase_if(s.nodes, [](auto& n) { return n.first != NodeId::root; });
  }
}

size_t Cache::names() const {
  size_t n = 0;
  for (const NameShard& s : names_) {
    std::lock_guard lock(s.m);
    n += s.recent.size();
  }
  return n;
}

size_t Cache::nodes() const {
  size_t n = 0;
  for (const NodeShard& s : nodes_) {
    std::lock_guard lock(s.m);
    n += s.nodes.size();
  }
  return n;
}

uint64_t Cache::users(NodeId node) const {
  const NodeShard& s = nodes_of(node);
  std::lock_guard lock(s.m);
  auto it = s.nodes.find(node);
  return it == s.nodes.end() ? 0 : it->second.users;
}

}  // namespace isthmus::volume
