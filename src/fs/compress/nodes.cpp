#include "fs/compress/node.h"

namespace isthmus::fs::compress {

Nodes::Nodes(FileSystem& tree) : tree_(tree) {
  publish(std::make_shared<Node>(Kind::other, std::make_shared<Inner>(tree, NodeId::root, 0)));
  auto& root = *table_.find(NodeId::root);
  known_[{NodeId::root, false}] = {root.get(), root};
}

Nodes::~Nodes() = default;

Result<NodeRef> Nodes::get(NodeId id, Op op) const {
  auto n = table_.get(id, op);
  if (!n) return n.error();
  return **n;
}

/// Under m_, but for the root.
void Nodes::publish(const NodeRef& n) { n->id = table_.emplace(1, n).id; }

NodeRef Nodes::enter(NodeId inner, Kind kind) {
  const Key key{inner, kind == Kind::packed};
  std::lock_guard lock(m_);
  auto it = known_.find(key);
  if (NodeRef n = it == known_.end() ? nullptr : it->second.ref.lock()) {
    n->inner_->count(1);  // which stands for the same: known_ and inner_ change together, under m_
    if (n->id.load() != NodeId::none)
      table_.add_lookup(n->id.load());
    else
      publish(n);
    return n;
  }
  NodeRef n(new Node(kind, std::make_shared<Inner>(tree_, inner, 1)), [this](Node* old) {
    gone(old);
    delete old;
  });
  known_[key] = {n.get(), n};
  publish(n);
  return n;
}

NodeRef Nodes::find(NodeId inner, Kind kind) const {
  std::lock_guard lock(m_);
  auto it = known_.find({inner, kind == Kind::packed});
  return it == known_.end() ? nullptr : it->second.ref.lock();
}

void Nodes::count(const NodeRef& n) {
  std::lock_guard lock(m_);
  if (n->id.load() != NodeId::none)
    table_.add_lookup(n->id.load());
  else
    publish(n);
}

void Nodes::forget(NodeId id, uint64_t count) {
  NodeRef last;  // ends without the lock
  std::lock_guard lock(m_);
  if (id == NodeId::root || !table_.forget(id, count)) return;
  last = std::move(*table_.find(id));
  last->id = NodeId::none;
  table_.erase(id);
}

void Nodes::replaced(Node& n, InnerRef by, uint64_t shown, uint64_t real_ino) {
  InnerRef old;  // likewise
  std::lock_guard lock(m_);
  const bool packed = n.kind == Kind::packed;
  auto it = known_.find({n.inner_->node, packed});
  if (it == known_.end() || it->second.node != &n) return;
  Known self = it->second;
  known_.erase(it);
  known_[{by->node, packed}] = self;
  std::lock_guard leaf(n.m);
  old = std::exchange(n.inner_, std::move(by));
  if (n.shown_ino) {
    // No longer what it was a moment ago.
    if (auto was = taken_.find(n.shown_ino); was != taken_.end()) shown_.erase(was->second);
  }
  n.shown_ino = shown;
  shown_[real_ino] = shown;
  taken_[shown] = real_ino;
  displaced_ = true;
}

uint64_t Nodes::shown_ino(Node& n, uint64_t real) {
  if (!displaced_) return real;
  std::lock_guard lock(m_);
  std::lock_guard leaf(n.m);
  if (n.shown_ino) return n.shown_ino;
  auto taken = taken_.find(real);
  if (taken == taken_.end() || taken->second == real) return real;
  // The number was free below and went to a new file, while an older one is still known by it.
  constexpr uint64_t kAside = uint64_t{1} << 62;
  do n.shown_ino = kAside + next_free_++;
  while (taken_.contains(n.shown_ino));
  shown_[real] = n.shown_ino;
  taken_[n.shown_ino] = real;
  return n.shown_ino;
}

uint64_t Nodes::shown_ino(uint64_t real) const {
  if (!displaced_) return real;
  std::lock_guard lock(m_);
  auto it = shown_.find(real);
  return it == shown_.end() ? real : it->second;
}

void Nodes::gone(Node* n) {
  std::lock_guard lock(m_);
  auto it = known_.find({n->inner_->node, n->kind == Kind::packed});
  if (it != known_.end() && it->second.node == n) known_.erase(it);
  if (!n->shown_ino) return;
  if (auto taken = taken_.find(n->shown_ino); taken != taken_.end()) {
    shown_.erase(taken->second);
    taken_.erase(taken);
  }
}

}  // namespace isthmus::fs::compress
