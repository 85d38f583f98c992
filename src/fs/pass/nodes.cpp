#include "fs/pass/nodes.h"

#include "fs/pass/watch.h"

namespace isthmus::fs::pass {

namespace {

uint32_t fold(uint64_t x) { return static_cast<uint32_t>(x ^ x >> 32); }

/// Differs between two files that have one inode number one after the other. 32 bits: NFS over FUSE keeps no more.
uint32_t generation_of(const Look& look, Time btime) {
  uint64_t h = 0xcbf29ce484222325u;
  auto mix = [&](uint64_t v) { h = (h ^ v) * 0x100000001b3u; };
  for (char c : look.handle.bytes) mix(static_cast<unsigned char>(c));
  mix(look.key().ino);
  if (look.handle.empty()) mix(static_cast<uint64_t>(btime.sec)), mix(btime.nsec);
  uint32_t g = fold(h * 0x9e3779b97f4a7c15u);
  return g ? g : 1;
}

Time btime_of(const Look& look) {
  if (!(look.st.stx_mask & STATX_BTIME)) return {};
  return {look.st.stx_btime.tv_sec, look.st.stx_btime.tv_nsec};
}

}  // namespace

int safe_flags(uint32_t flags) {
  constexpr uint32_t kDropped = O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW | O_DIRECTORY | O_DIRECT | O_APPEND |
                                O_NONBLOCK | O_ASYNC | O_PATH | (O_TMPFILE & ~O_DIRECTORY);
  constexpr uint32_t kKept = O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME;
  return static_cast<int>(flags & ~kDropped & kKept) | O_CLOEXEC;
}

Status Nodes::start(SharedFd root, bool handles, size_t max_fds, Watch* watch) {
  fds_.set_limit(max_fds);
  watch_ = watch;
  mounts_.start(root->get(), handles, watch);
  auto look = look_at(root->get(), "", mounts_.handles());
  if (!look) return look.error();
  root_dev_ = dev_of(look->st);
  Shard& s = shard(look->key());
  std::lock_guard lock(s.m);
  auto mount = mounts_.handles() && look->mount == mounts_.root()->id ? mounts_.root() : nullptr;
  Node& n = make(s, std::move(*look), std::move(mount));
  n.keep = std::move(root);
  n.verified = true;
  return Unit{};
}

bool Nodes::same_file(const Node& n, const Look& look, const Mount* mount) {
  if (n.type != look.type() || n.mount.get() != mount) return false;
  return n.by_handle() ? n.handle == look.handle : n.btime == btime_of(look);
}

Node& Nodes::make(Shard& s, Look&& look, std::shared_ptr<const Mount> mount) {
  FileKey key = look.key();
  Time btime = btime_of(look);
  uint32_t generation = generation_of(look, btime);
  uint32_t type = look.type();
  auto [id, n] = table_.emplace(1, key, type, mount ? std::move(look.handle) : KernelHandle{}, std::move(mount), btime);
  n->id = id;
  n->generation = generation;
  n->watched = n->mount && n->mount->watched && n->mount->dev == key.dev && inode_in(n->handle) == key.ino;
  auto [it, fresh] = s.files.try_emplace(key, n);
  if (!fresh) {  // the number was used again: the former file is gone from the store
    Node& former = *it->second;
    // Or it is there, seen in another mount of the store: what is changed through the one must be looked for in the
    // other.
    if (former.mount != n->mount && (former.watched || n->watched)) {
      former.watched = n->watched = false;
      watch_->doubt();
    }
    former.hashed = false;
    it->second = n;
  }
  n->hashed = true;
  return *n;
}

void Nodes::place(Node& n, Node& parent, const char* name, NodeId& unpin_later, SharedFd& close_later) {
  if (n.id == NodeId::root) return;
  if (n.by_handle()) {
    n.parent = parent.id;
  } else if (n.parent != parent.id || n.name != name) {
    parent.pins.fetch_add(1, std::memory_order_relaxed);
    unpin_later = n.parent;
    n.parent = parent.id;
    n.name = name;
  }
  close_later = std::move(n.keep);
}

Node& Nodes::find_or_make(Shard& s, Look&& look, std::shared_ptr<const Mount> mount) {
  auto it = s.files.find(look.key());
  if (it == s.files.end() || !same_file(*it->second, look, mount.get()))
    return make(s, std::move(look), std::move(mount));
  table_.add_lookup(it->second->id);
  return *it->second;
}

Node& Nodes::enter(Node& parent, int dir_fd, const char* name, Look&& look) {
  auto mount = mounts_.of(fds_, dir_fd, name, look);
  Shard& s = shard(look.key());
  NodeId unpin_later = NodeId::none;
  SharedFd close_later;
  Node* n = nullptr;
  {
    std::lock_guard lock(s.m);
    n = &find_or_make(s, std::move(look), std::move(mount));
    place(*n, parent, name, unpin_later, close_later);
  }
  unpin(unpin_later);
  return *n;
}

Node& Nodes::enter_open(const SharedFd& fd, Look&& look) {
  auto mount = mounts_.of(fds_, fd->get(), "", look);
  Shard& s = shard(look.key());
  std::lock_guard lock(s.m);
  Node& n = find_or_make(s, std::move(look), std::move(mount));
  if (!n.by_handle() && n.parent == NodeId::none && !n.keep) n.keep = fd;
  return n;
}

void Nodes::nameless(Node& n, const SharedFd& fd) {
  std::lock_guard lock(shard(n.key).m);
  n.keep = fd;
}

void Nodes::named(Node& n, Node& parent, const char* name) {
  Shard& s = shard(n.key);
  NodeId unpin_later = NodeId::none;
  SharedFd close_later;
  {
    std::lock_guard lock(s.m);
    place(n, parent, name, unpin_later, close_later);
  }
  unpin(unpin_later);
}

void Nodes::enter_again(Node& n, Node& parent, const char* name) {
  Shard& s = shard(n.key);
  NodeId unpin_later = NodeId::none;
  SharedFd close_later;
  {
    std::lock_guard lock(s.m);
    table_.add_lookup(n.id);
    if (!n.hashed) n.hashed = s.files.try_emplace(n.key, &n).second;
    place(n, parent, name, unpin_later, close_later);
  }
  unpin(unpin_later);
}

void Nodes::forget(NodeId id, uint64_t count) {
  Node* n = table_.find(id);
  if (!n || count == 0) return;
  if (id == NodeId::root) {  // one lookup is ours
    uint64_t have = table_.lookups(id);
    if (have > 1) table_.forget(id, std::min(count, have - 1));
    return;
  }
  NodeId parent = NodeId::none;
  SharedFd close_later;
  Shard& s = shard(n->key);
  {
    std::lock_guard lock(s.m);
    if (!table_.forget(id, count) || n->pins.load(std::memory_order_acquire) > 0) return;
    parent = erase_locked(s, *n, close_later);
  }
  unpin(parent);
}

NodeId Nodes::erase_locked(Shard& s, Node& n, SharedFd& close_later) {
  NodeId parent = n.by_handle() ? NodeId::none : n.parent;
  close_later = std::move(n.keep);
  if (n.hashed) s.files.erase(n.key);
  fds_.drop(n.id);
  table_.erase(n.id);
  return parent;
}

void Nodes::unpin(Node& n) {
  // Once the count is down somebody else may erase it: only the copies may be used then.
  FileKey key = n.key;
  NodeId id = n.id;
  if (n.pins.fetch_sub(1, std::memory_order_acq_rel) == 1) erase_if_unused(key, id);
}

void Nodes::unpin(NodeId id) {
  if (id == NodeId::none) return;
  if (Node* n = table_.find(id)) unpin(*n);
}

void Nodes::erase_if_unused(FileKey key, NodeId id) {
  if (id == NodeId::root) return;
  NodeId parent = NodeId::none;
  SharedFd close_later;
  Shard& s = shard(key);
  {
    std::lock_guard lock(s.m);
    Node* n = table_.find(id);
    if (!n || table_.lookups(id) > 0 || n->pins.load(std::memory_order_acquire) > 0) return;
    parent = erase_locked(s, *n, close_later);
  }
  unpin(parent);  // as deep as the path is long, and only where a whole branch is forgotten at once
}

Nodes::Pinned Nodes::find_file(const Look& look) {
  Shard& s = shard(look.key());
  std::lock_guard lock(s.m);
  auto it = s.files.find(look.key());
  if (it == s.files.end()) return {};
  Node& n = *it->second;
  if (n.type != look.type() || (n.by_handle() && !look.handle.empty() && n.handle != look.handle)) return {};
  n.pins.fetch_add(1, std::memory_order_relaxed);
  return {*this, n};
}

Nodes::Pinned Nodes::find_handle(uint64_t dev, const KernelHandle& handle) {
  auto ino = inode_in(handle);
  if (!ino) return {};
  FileKey key{dev, *ino};
  Shard& s = shard(key);
  std::lock_guard lock(s.m);
  auto it = s.files.find(key);
  if (it == s.files.end() || it->second->handle != handle) return {};
  it->second->pins.fetch_add(1, std::memory_order_relaxed);
  return {*this, *it->second};
}

std::vector<NodeId> Nodes::doubt(size_t part) {
  std::vector<NodeId> ids;
  std::lock_guard lock(shards_[part].m);
  ids.reserve(shards_[part].files.size());
  for (auto& [key, n] : shards_[part].files) {
    n->changed();
    ids.push_back(n->id);
  }
  return ids;
}

void Nodes::opened(Node& n, const SharedFd& fd) {
  std::lock_guard lock(shard(n.key).m);
  n.open = fd;
}

uint64_t Nodes::swap_seen(Node& n, uint64_t fingerprint) {
  std::lock_guard lock(shard(n.key).m);
  return std::exchange(n.seen_as, fingerprint);
}

NodeId Nodes::parent_of(Node& n) {
  std::lock_guard lock(shard(n.key).m);
  return n.parent;
}

}  // namespace isthmus::fs::pass
