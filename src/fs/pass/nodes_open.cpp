// How a node becomes a descriptor again, and what happens when it loses its name.
#include "fs/pass/nodes.h"
#include "fs/pass/watch.h"

namespace isthmus::fs::pass {

namespace {
/// Birth tells apart the files that have one inode number one after the other, where there are no handles to do it.
bool is_file(const struct ::statx& st, const Node& n) {
  if (dev_of(st) != n.key.dev || st.stx_ino != n.key.ino || (st.stx_mode & S_IFMT) != n.type) return false;
  return n.by_handle() || !(st.stx_mask & STATX_BTIME) || n.btime == Time{st.stx_btime.tv_sec, st.stx_btime.tv_nsec};
}
}  // namespace

Result<SharedFd> Nodes::path(Node& n) {
  {
    // A kept descriptor first: its file has no name, so nothing else leads there.
    std::lock_guard lock(shard(n.key).m);
    if (n.keep) return n.keep;
    if (auto fd = n.open.lock()) return fd;
  }
  if (auto fd = fds_.get(n.id)) return fd;
  auto fd = n.by_handle() ? fds_.make([&] {
    auto r = open_handle(n.mount->fd->get(), n.handle, O_PATH | O_NOFOLLOW);
    return r ? *r : (errno = r.code(), -1);
  })
                          : open_by_name(n);
  if (!fd) return fd;
  if (auto s = verify(n, **fd); !s) return s.error();
  fds_.put(n.id, *fd);
  return fd;
}

Status Nodes::verify(Node& n, const Fd& fd) {
  if (n.verified.load(std::memory_order_acquire)) return Unit{};
  auto st = stat_at(fd.get(), "");
  if (!st) return st.error();
  if (!is_file(*st, n)) return err(ESTALE);
  if (n.by_handle()) n.verified.store(true, std::memory_order_release);
  return Unit{};
}

Result<SharedFd> Nodes::open_by_name(Node& n) {
  std::string name;
  Node* parent = nullptr;
  {
    std::lock_guard lock(shard(n.key).m);
    if (n.parent != NodeId::none) parent = table_.find(n.parent);
    if (!parent) return err(ESTALE);
    // n's own pin on it keeps the count above zero while we hold n's lock.
    parent->pins.fetch_add(1, std::memory_order_relaxed);
    name = n.name;
  }
  Pinned pin(*this, *parent);
  auto dir = path(*parent);  // up to the nearest directory that is still open
  if (!dir) return dir;
  auto fd = fds_.make([&] { return ::openat((*dir)->get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); });
  if (!fd && (fd.error() == err(ENOENT) || fd.error() == err(ENOTDIR))) return err(ESTALE);
  return fd;
}

Result<SharedFd> Nodes::reopen(const Fd& path, int flags) {
  ProcPath p(path.get());
  return fds_.make([&] { return ::open(p.c_str(), flags | O_CLOEXEC); });
}

Result<SharedFd> Nodes::open(Node& n, int flags) {
  // What was seen as a file may have been a device when its handle was taken: not opened before it is verified.
  if (n.by_handle() && !(flags & O_DIRECTORY) && !n.verified.load(std::memory_order_acquire))
    if (auto p = path(n); !p) return p;
  if (n.by_handle() && ((flags & O_DIRECTORY) || n.verified.load(std::memory_order_acquire))) {
    auto fd = fds_.make([&] {
      auto r = open_handle(n.mount->fd->get(), n.handle, flags);
      return r ? *r : (errno = r.code(), -1);
    });
    if (fd)
      if (auto s = verify(n, **fd); !s) return s.error();
    if (fd || fd.error() != err(ESTALE)) return fd;  // a kept or open descriptor may still lead there
  }
  auto p = path(n);
  if (!p) return p;
  return reopen(**p, flags);
}

Result<SharedFd> Nodes::data(Node& n, Use use) {
  if (auto fd = fds_.get(n.id, use)) return fd;
  auto fd = open(n, (use == Use::write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd) keep_data(n, *fd, use);
  return fd;
}

void Nodes::keep_data(Node& n, const SharedFd& fd, Use use) {
  // Whoever closes idle ones may sleep.
  if (fds_.put(n.id, fd, use) && watch_) watch_->ring();
}

Nodes::Victim Nodes::before_removal(int dir_fd, const char* name) {
  auto look = look_at(dir_fd, name, false);
  if (!look) return {};
  Victim v{find_file(*look), nullptr};
  Node* n = v.node.get();
  if (!n || n->id == NodeId::root) return {};
  v.last = n->type == S_IFDIR || look->st.stx_nlink <= 1;
  if (!v.last && n->by_handle()) return {};
  if (auto fd = path(*n)) v.fd = std::move(*fd);
  return v;
}

bool Nodes::is_at(const Victim& v, int dir_fd, const char* name) {
  if (!v.node.get()) return false;
  auto st = stat_at(dir_fd, name);
  return st && is_file(*st, *v.node.get());
}

void Nodes::after_removal(Victim& v, Node& dir, const char* name) {
  Node* n = v.node.get();
  if (!n || !v.fd) return;
  // Somebody behind the mount may have given it another name since we looked: then that name becomes another node.
  bool gone = v.last;
  if (!gone) {
    auto st = stat_at(v.fd->get(), "");
    gone = st && st->stx_nlink == 0;
  }
  Shard& s = shard(n->key);
  std::lock_guard lock(s.m);
  bool lost = !n->by_handle() && n->parent == dir.id && n->name == name;
  if (!gone && !lost) return;
  n->keep = v.fd;
  if (gone && n->hashed) {
    s.files.erase(n->key);
    n->hashed = false;
  }
}

void Nodes::after_move(int dir_fd, Node& to_dir, const char* to_name) {
  auto look = look_at(dir_fd, to_name, false);
  if (!look) return;
  Pinned pin = find_file(*look);
  if (pin.get()) named(*pin.get(), to_dir, to_name);
}

}  // namespace isthmus::fs::pass
