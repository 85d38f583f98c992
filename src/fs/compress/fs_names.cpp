// Names: what a shown one stands for, making and removing.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "fs/compress/compress_fs.h"

namespace isthmus::fs::compress {

Result<Entry> CompressFs::look(const Context& ctx, NodeId dir, std::string_view stored) {
  auto e = below(ctx, op::Lookup{{}, dir, stored});
  if (!e && e.error() == err(ENOENT)) return Entry{};
  return e;
}

/// Whether `name` is there below and shown under that name, whatever it ends in; then `found` is it, counted.
Result<bool> CompressFs::as_is(const Context& ctx, NodeId dir, std::string_view name, Entry& found) {
  auto e = look(ctx, dir, name);
  if (!e) return e.error();
  found = *e;
  if (e->node == NodeId::none) return false;
  if (!has_suffix(name)) return true;
  Entry plain;
  auto shadowed = as_is(ctx, dir, without_suffix(name), plain);
  if (shadowed && *shadowed) undo(plain);
  if (!shadowed || !*shadowed) {
    undo(found);
    found = {};
  }
  return shadowed;
}

/// Answers an entry without a node when nothing has the name; `absent`: for how long that may be believed.
Result<CompressFs::Found> CompressFs::find(const Context& ctx, NodeId dir, std::string_view name, Ttl& absent) {
  absent = 0;
  Found f;
  auto stored = packed_name(name);
  if (stored) {
    auto e = look(ctx, dir, *stored);
    if (!e) return e.error();
    f.entry = *e;
  }
  Entry other;
  auto taken = as_is(ctx, dir, name, other);
  if (!taken) {
    if (f.entry.node != NodeId::none) undo(f.entry);
    return taken.error();
  }
  const bool packed = f.entry.node != NodeId::none;
  if (*taken) {
    if (packed) undo(f.entry);
    f.entry = other;
    f.stored = name;
    f.kind = S_ISREG(other.attr.mode) ? Kind::plain : Kind::other;
  } else if (packed) {
    f.stored = std::move(*stored);
    f.kind = S_ISREG(f.entry.attr.mode) ? Kind::packed : Kind::other;
  } else if (!stored) {
    return err(ENAMETOOLONG);
  } else {
    absent = std::min(f.entry.entry_ttl, other.entry_ttl);
  }
  return f;
}

Errno CompressFs::free_name(const Context& ctx, NodeId dir, std::string_view name) {
  if (is_temporary(name)) return err(EPERM);
  Ttl absent = 0;
  auto f = find(ctx, dir, name, absent);
  if (!f) return f.error();
  if (f->entry.node == NodeId::none) return Errno{};
  undo(f->entry);
  return err(EEXIST);
}

NodeRef CompressFs::enter(const NodeRef& dir, const Found& f) {
  NodeRef n = nodes_->enter(f.entry.node, f.kind);
  if (n->kind != Kind::packed) return n;
  Place at{dir, f.stored}, gone;
  NodeRef home = dir;  // both end without the lock: they may be the last ones to know a directory
  std::lock_guard lock(n->m);
  if (std::find(n->places.begin(), n->places.end(), at) == n->places.end()) {
    // Names that somebody took away below would pile up.
    constexpr size_t kMostPlaces = 16;
    if (n->places.size() >= kMostPlaces) {
      gone = std::move(n->places.front());
      n->places.erase(n->places.begin());
    }
    n->places.push_back(std::move(at));
  }
  n->home.swap(home);
  return n;
}

Result<Entry> CompressFs::lookup(const Context& ctx, const op::Lookup& a) {
  auto dir = nodes_->get(a.dir, Op::Lookup);
  if (!dir) return dir.error();
  const InnerRef in = (*dir)->inner();
  if (a.name == "." || a.name == "..") {
    auto e = below(ctx, op::Lookup{{}, in->node, a.name});
    if (!e || e->node == NodeId::none) return e;
    if (!S_ISDIR(e->attr.mode)) {
      // Of a file nothing but its name says whether it is decoded.
      undo(*e);
      if (a.name == "..") return err(ENOTDIR);
      nodes_->count(*dir);
      return entry(ctx, *dir, *e);
    }
    return entry(ctx, nodes_->enter(e->node, Kind::other), *e);
  }
  if (is_temporary(a.name)) return err(ENOENT);
  NodeRef n;
  Found f;
  {
    std::shared_lock lock((*dir)->names);
    Ttl absent = 0;
    auto found = find(ctx, in->node, a.name, absent);
    if (!found) return found.error();
    if (found->entry.node == NodeId::none) {
      if (absent == 0) return err(ENOENT);
      Entry none;
      none.entry_ttl = absent;
      return none;
    }
    f = std::move(*found);
    n = enter(*dir, f);
  }
  return entry(ctx, n, f.entry);
}

Status CompressFs::forget(const Context&, const op::Forget& a) {
  nodes_->forget(a.node, a.count);
  return Unit{};
}

// ---- making ----

template <class T>
Result<Entry> CompressFs::make_other(const Context& ctx, const T& a) {
  auto dir = nodes_->get(a.dir, T::id);
  if (!dir) return dir.error();
  const InnerRef in = (*dir)->inner();
  NodeRef n;
  Result<Entry> made = err(EIO);
  {
    std::unique_lock lock((*dir)->names);
    if (Errno e = free_name(ctx, in->node, a.name); e != Errno{}) return e;
    auto stored = other_name(a.name);
    if (!stored) return err(ENAMETOOLONG);
    T args = a;
    args.dir = in->node;
    args.name = *stored;
    made = below(ctx, args);
    if (!made) return made;
    n = nodes_->enter(made->node, Kind::other);
  }
  return entry(ctx, n, *made);
}

Result<Entry> CompressFs::mkdir(const Context& ctx, const op::Mkdir& a) { return make_other(ctx, a); }
Result<Entry> CompressFs::symlink(const Context& ctx, const op::Symlink& a) { return make_other(ctx, a); }

Result<Entry> CompressFs::mknod(const Context& ctx, const op::Mknod& a) {
  if (!S_ISREG(a.mode) && (a.mode & S_IFMT) != 0) return make_other(ctx, a);
  op::Create c;
  c.dir = a.dir;
  c.name = a.name;
  c.mode = a.mode & 07777;
  c.flags = O_CREAT | O_EXCL | O_WRONLY;
  c.labels = a.labels;
  auto made = create(ctx, c);
  if (!made) return made.error();
  op::Release r;
  r.node = made->entry.node;
  r.handle = made->opened.handle;
  (void)release(ctx, r);
  return made->entry;
}

/// An empty file. It gets its name when it is one that zstd(1) reads, so that there is never another.
Result<CompressFs::NewFile> CompressFs::make_file(const Context& ctx, NodeId dir, const op::Create& a) {
  NewFile made;
  auto stored = packed_name(a.name);
  if (!stored) return err(ENAMETOOLONG);
  op::Create c = a;
  c.dir = dir;
  c.flags = (a.flags & ~uint32_t{O_ACCMODE | O_TRUNC | O_APPEND}) | O_RDWR | O_CREAT | O_EXCL;
  const std::string name = temporary_name();
  c.name = name;
  auto r = below(ctx, c);
  if (!r) return r.error();
  const std::string content = make_empty_frame() + make_seek_table({{0, make_empty_frame().size(), 0}});
  const Buffer data = Buffer::view(as_bytes(content));
  op::Write w;
  w.node = r->entry.node;
  w.handle = r->opened.handle;
  w.data = &data;
  auto wrote = below(own(), w);
  Status s = !wrote ? Status(wrote.error()) : *wrote == content.size() ? Status(Unit{}) : Status(err(ENOSPC));
  if (s) {
    op::Rename to;
    to.dir = to.to_dir = dir;
    to.name = name;
    to.to_name = *stored;
    to.flags = RENAME_NOREPLACE;
    s = below(own(), to);
    if (!s && s.error() == err(EINVAL)) {
      to.flags = 0;  // not every tree knows it; nobody made the name through us
      s = below(own(), to);
    }
  }
  if (s) {
    auto now = below(own(), op::Getattr{{}, r->entry.node, r->opened.handle});
    if (now) r->entry.attr = now->attr;
    made.found = {r->entry, std::move(*stored), Kind::packed};
    made.opened = r->opened;
    return made;
  }
  op::Release end;
  end.node = r->entry.node;
  end.handle = r->opened.handle;
  (void)below(own(), end);
  (void)below(own(), op::Unlink{{}, dir, name});
  undo(r->entry);
  return s.error();
}

Result<Created> CompressFs::create(const Context& ctx, const op::Create& a) {
  auto dir = nodes_->get(a.dir, Op::Create);
  if (!dir) return dir.error();
  if (is_temporary(a.name)) return err(EPERM);
  const InnerRef in = (*dir)->inner();
  NodeRef n;
  NewFile made;
  bool exists = false;
  {
    std::unique_lock lock((*dir)->names);
    Ttl absent = 0;
    auto found = find(ctx, in->node, a.name, absent);
    if (!found) return found.error();
    exists = found->entry.node != NodeId::none;
    if (exists && (a.flags & O_EXCL)) {
      undo(found->entry);
      return err(EEXIST);
    }
    if (exists) {
      made.found = std::move(*found);
    } else {
      auto m = make_file(ctx, in->node, a);
      if (!m) return m.error();
      made = std::move(*m);
    }
    n = enter(*dir, made.found);
  }
  auto o = [&]() -> Result<Opened> {
    if (!exists) return opened(n, n->inner(), made.opened, a.flags & ~uint32_t{O_TRUNC});
    op::Open again{{}, n->id.load(), a.flags & ~uint32_t{O_CREAT | O_EXCL}, a.share, a.kill_suidgid, a.access};
    return open(ctx, again);
  }();
  // O_TRUNC may have changed what an existing file looked like.
  auto e = o ? entry(ctx, n, exists && (a.flags & O_TRUNC) ? Entry{} : made.found.entry) : Result<Entry>(o.error());
  if (e) return Created{*e, *o};
  nodes_->forget(n->id.load(), 1);
  return e.error();
}

Result<Entry> CompressFs::link(const Context& ctx, const op::Link& a) {
  auto dir = nodes_->get(a.to_dir, Op::Link);
  if (!dir) return dir.error();
  auto n = nodes_->get(a.node, Op::Link);
  if (!n) return n.error();
  // Its content must not change places meanwhile.
  std::unique_lock io((*n)->io, std::defer_lock);
  if ((*n)->kind == Kind::packed) io.lock();
  const InnerRef in = (*dir)->inner(), file = (*n)->inner();
  Result<Entry> made = err(EIO);
  {
    std::unique_lock lock((*dir)->names);
    if (Errno e = free_name(ctx, in->node, a.to_name); e != Errno{}) return e;
    auto stored = (*n)->kind == Kind::packed ? packed_name(a.to_name) : other_name(a.to_name);
    if (!stored) return err(ENAMETOOLONG);
    // By such a name a plain file would be taken for a compressed one.
    if ((*n)->kind == Kind::plain && has_suffix(*stored)) return err(EPERM);
    made = below(ctx, op::Link{{}, file->node, in->node, *stored});
    if (!made) return made;
    undo(*made);
    nodes_->count(*n);
    if ((*n)->kind == Kind::packed) {
      NodeRef home = *dir;
      std::lock_guard leaf((*n)->m);
      (*n)->places.push_back({*dir, std::move(*stored)});
      (*n)->home.swap(home);
    }
  }
  return entry(ctx, *n, *made);
}

// ---- removing ----

Result<CompressFs::Found> CompressFs::find_there(const Context& ctx, NodeId in, std::string_view name) {
  if (is_temporary(name)) return err(ENOENT);
  Ttl absent = 0;
  auto f = find(ctx, in, name, absent);
  if (f && f->entry.node == NodeId::none) return err(ENOENT);
  return f;
}

Status CompressFs::unlink(const Context& ctx, const op::Unlink& a) {
  auto dir = nodes_->get(a.dir, Op::Unlink);
  if (!dir) return dir.error();
  const InnerRef in = (*dir)->inner();
  std::unique_lock lock((*dir)->names);
  auto f = find_there(ctx, in->node, a.name);
  if (!f) return f.error();
  auto s = below(ctx, op::Unlink{{}, in->node, f->stored});
  if (s) unnamed(*f, *dir);
  lock.unlock();
  undo(f->entry);
  return s;
}

Status CompressFs::rmdir(const Context& ctx, const op::Rmdir& a) {
  auto dir = nodes_->get(a.dir, Op::Rmdir);
  if (!dir) return dir.error();
  const InnerRef in = (*dir)->inner();
  std::unique_lock lock((*dir)->names);
  auto f = find_there(ctx, in->node, a.name);
  if (!f) return f.error();
  auto s = below(ctx, op::Rmdir{{}, in->node, f->stored});
  if (!s && (s.error() == err(ENOTEMPTY) || s.error() == err(EEXIST))) {
    // What nobody sees must not be in the way: data of files that are open still have no need of a name.
    NodeRef victim = nodes_->enter(f->entry.node, Kind::other);
    f->entry.node = NodeId::none;
    lock.unlock();
    sweep(victim);
    lock.lock();
    s = below(ctx, op::Rmdir{{}, in->node, f->stored});
    lock.unlock();
    nodes_->forget(victim->id.load(), 1);
    return s;
  }
  lock.unlock();
  undo(f->entry);
  return s;
}

}  // namespace isthmus::fs::compress
