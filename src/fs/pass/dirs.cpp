#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "fs/pass/open_dir.h"

namespace isthmus::fs::pass {

namespace {

bool is_dots(const char* s) { return s[0] == '.' && (s[1] == 0 || (s[1] == '.' && s[2] == 0)); }

/// One record of getdents64(2), by its layout: u64 ino, s64 next, u16 length, u8 type, name.
PassFs::ListedName listed_name(const std::byte* at) {
  PassFs::ListedName n;
  std::memcpy(&n.ino, at, 8);
  std::memcpy(&n.next, at + 8, 8);
  std::memcpy(&n.length, at + 16, 2);
  n.type = std::to_integer<uint8_t>(at[18]);
  n.text = reinterpret_cast<const char*>(at + 19);
  return n;
}

}  // namespace

Result<Opened> PassFs::open_dir(const Context& ctx, const op::OpenDir& a) {
  auto n = nodes_.get(a.node, Op::OpenDir);
  if (!n) return n.error();
  if ((*n)->type != S_IFDIR) return err(ENOTDIR);
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  // Not by the name ".", which asks for the right to search besides that to read.
  auto fd = acts_as_server(ctx)
                ? nodes_.open(**n, kFlags)
                : nodes_.open_as(**n, kFlags, [&] { return AsCaller(*ids_, ctx, AsCaller::Why::check); });
  if (!fd) return fd.error();
  Opened o;
  // Who lists from what he knows sees all that was there when the directory was opened. A kernel may be waiting for a
  // door that hears news just now.
  if (heard(**n) && ctx.door != DoorKind::fuse) watch_->catch_up();
  if (options_.cache == Cache::always || heard(**n)) o.flags = kOpenedCacheDir | kOpenedKeepCache;
  o.handle = HandleId{raw(dirs_.emplace(1, a.node, std::move(*fd)).id) | kDirectoryBit};
  return o;
}

Status PassFs::read_dir(const Context& ctx, const op::ReadDir& a) {
  auto n = nodes_.get(a.node, Op::ReadDir);
  if (!n) return n.error();
  if (a.handle != HandleId::none) {
    OpenDirectory* d = directory(a.handle);
    if (!d) return err(EBADF);
    std::lock_guard lock(d->m);
    return fill(ctx, **n, *d, a);
  }
  if (may_all(ctx)) return read_shared(ctx, **n, a);
  op::OpenDir o;
  o.node = a.node;
  auto opened = open_dir(ctx, o);
  if (!opened) return opened.error();
  op::ReadDir again = a;
  again.handle = opened->handle;
  Status s = read_dir(ctx, again);
  close_directory(opened->handle);
  return s;
}

Status PassFs::read_shared(const Context& ctx, Node& n, const op::ReadDir& a) {
  if (n.type != S_IFDIR) return err(ENOTDIR);
  auto d = listings_->take(n.id, a.cookie);
  if (!d) {
    auto fd = nodes_.open(n, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!fd) return fd.error();
    d = std::make_unique<OpenDirectory>(n.id, std::move(*fd));
  }
  Status s = fill(ctx, n, *d, a);
  // A reader comes once more after the last name to hear that there is none.
  if (s && d->cookie != a.cookie) listings_->keep(std::move(d));
  return s;
}

std::unique_ptr<PassFs::OpenDirectory> PassFs::Listings::take(NodeId node, uint64_t cookie) {
  if (count_.load(std::memory_order_relaxed) == 0) return nullptr;
  std::lock_guard lock(m_);
  auto it = std::find_if(kept_.begin(), kept_.end(), [&](auto& d) { return d->node == node && d->cookie == cookie; });
  if (it == kept_.end()) return nullptr;
  auto d = std::move(*it);
  kept_.erase(it);
  count_ = kept_.size();
  return d;
}

void PassFs::Listings::keep(std::unique_ptr<OpenDirectory> d) {
  std::unique_ptr<OpenDirectory> oldest;  // closed when the lock is gone
  std::lock_guard lock(m_);
  kept_.push_front(std::move(d));
  if (kept_.size() > kMost) {
    oldest = std::move(kept_.back());
    kept_.pop_back();
  }
  count_ = kept_.size();
}

void PassFs::Listings::drop(NodeId node) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  std::list<std::unique_ptr<OpenDirectory>> dropped;
  std::lock_guard lock(m_);
  for (auto it = kept_.begin(); it != kept_.end();) {
    auto here = it++;
    if ((*here)->node == node) dropped.splice(dropped.end(), kept_, here);
  }
  count_ = kept_.size();
}

bool PassFs::offer(Node& dir, OpenDirectory& d, const ListedName& name, bool with_attr, DirSink& sink) {
  DirEntry e;
  e.ino = shown_ino({dir.key.dev, name.ino}, nodes_.root_dev());
  e.cookie = name.next;
  e.type = name.type;
  e.name = name.text;
  if (is_dots(name.text)) {
    if (dir.id == NodeId::root) e.ino = shown_ino(dir.key, nodes_.root_dev());  // nothing above is shown
    return sink.add(e);
  }
  if (!with_attr) {
    if (e.type == DT_UNKNOWN)
      if (auto st = stat_at(d.fd->get(), name.text)) e.type = IFTODT(st->stx_mode);
    return sink.add(e);
  }
  auto look = look_at(d.fd->get(), name.text, nodes_.with_handles());
  if (!look) return sink.add(e);  // gone already, or not to be seen: the name is all there is
  auto st = look->st;
  Entry with = entry(&dir, nodes_.enter(dir, d.fd->get(), name.text, std::move(*look)), st);
  e.ino = with.attr.ino;
  e.type = IFTODT(st.stx_mode);
  e.with = &with;
  bool taken = sink.add(e);
  if (!taken) nodes_.forget(with.node, 1);
  return taken;
}

Status PassFs::fill(const Context& ctx, Node& n, OpenDirectory& d, const op::ReadDir& a) {
  if (!d.block) d.block = std::make_unique<std::byte[]>(OpenDirectory::kBlock);
  if (a.cookie == 0 || a.cookie != d.cookie) {  // from the start always anew: rewinddir(3) shows names made since
    if (::lseek(d.fd->get(), static_cast<off_t>(a.cookie), SEEK_SET) < 0) return last_errno();
    d.cookie = a.cookie;
    d.used = d.next = 0;
  }
  bool with_attr = a.with_attr;
  if (with_attr && !acts_as_server(ctx)) {
    op::Access x;
    x.node = n.id;
    x.mask = X_OK;
    with_attr = access(ctx, x).ok();  // names may be read, but not what they stand for
  }
  for (;;) {
    if (d.next == d.used) {
      d.next = d.used = 0;
      auto got = no_eintr([&] { return ::syscall(SYS_getdents64, d.fd->get(), d.block.get(), OpenDirectory::kBlock); });
      if (got < 0 && errno != ENOENT) return last_errno();  // ENOENT: removed while open, thus empty
      if (got <= 0) return Unit{};
      d.used = static_cast<size_t>(got);
    }
    auto name = listed_name(d.block.get() + d.next);
    if (!offer(n, d, name, with_attr, *a.sink)) return Unit{};
    d.next += name.length;
    d.cookie = name.next;
  }
}

PassFs::OpenDirectory* PassFs::directory(HandleId h) const {
  return raw(h) & kDirectoryBit ? dirs_.find(NodeId{raw(h) & ~kDirectoryBit}) : nullptr;
}

void PassFs::close_directory(HandleId h) {
  if (directory(h)) dirs_.erase(NodeId{raw(h) & ~kDirectoryBit});
}

Status PassFs::release_dir(const Context&, const op::ReleaseDir& a) {
  close_directory(a.handle);
  return Unit{};
}

Status PassFs::fsync_dir(const Context&, const op::FsyncDir& a) {
  OpenDirectory* d = directory(a.handle);
  SharedFd fd;
  if (d) {
    fd = d->fd;
  } else {
    auto n = nodes_.get(a.node, Op::FsyncDir);
    if (!n) return n.error();
    if ((*n)->type != S_IFDIR) return err(ENOTDIR);
    auto opened = nodes_.open(**n, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!opened) return opened.error();
    fd = std::move(*opened);
  }
  return check(no_eintr([&] { return a.data_only ? ::fdatasync(fd->get()) : ::fsync(fd->get()); }));
}

}  // namespace isthmus::fs::pass
