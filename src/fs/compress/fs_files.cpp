// Open files and their bytes.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "base/log.h"
#include "fs/compress/compress_fs.h"
#include "vfs/permissions.h"

namespace isthmus::fs::compress {

bool CompressFs::Handle::writes() const { return (flags & O_ACCMODE) != O_RDONLY; }

// ---- images ----

/// With io alone.
Status CompressFs::load(Node& n) {
  if (n.image && (n.image->changed() || !n.stale)) return Unit{};
  const InnerRef inner = n.inner();
  auto base = OpenBelow::open(inner, O_RDONLY);
  if (!base) return base.error();
  auto a = (*base)->attr();
  if (a && a->nlink > 1) {
    redo(n, inner, *a);
    a = (*base)->attr();
  }
  if (!a) return a.error();
  std::string why;
  auto layout = read_layout(**base, a->size, true, why);
  if (!layout) {
    log(LogLevel::error, "compress: '{}' cannot be decoded: {}", label(n),
        why.empty() ? text_of(layout.error()) : std::string_view(why));
    return layout.error();
  }
  const uint64_t plain = layout->plain;
  n.image = std::make_unique<Image>(
      shared_, std::move(*base), std::move(*layout), [&n] { return label(n); },
      [this, &n] { return make_temporary(n); });
  n.stale = false;
  std::lock_guard lock(n.m);
  n.known = {Stamp::of(*a), plain};
  n.live = Node::Live{plain, false, {}, Stamp::of(*a)};
  return Unit{};
}

/// With io alone. emptied: the caller wants no content, not even that of a damaged file.
Result<Image*> CompressFs::writable(const NodeRef& n, bool emptied) {
  if (n->image && !n->image->changed()) {
    auto a = attr_below(*n->inner());
    if (!a) return a.error();
    std::lock_guard lock(n->m);
    if (!n->live->stored.same_content(Stamp::of(*a))) n->stale = true;
  }
  auto s = load(*n);
  if (!s) {
    if (!emptied || (s.error() != err(EIO) && s.error() != err(EFBIG))) return s.error();
    auto base = OpenBelow::open(n->inner(), O_RDONLY);
    if (!base) return base.error();
    auto a = (*base)->attr();
    if (!a) return a.error();
    n->image = std::make_unique<Image>(
        shared_, std::move(*base), Layout{}, [node = n.get()] { return label(*node); },
        [this, node = n.get()] { return make_temporary(*node); });
    n->image->clear();
    n->stale = false;
    std::lock_guard lock(n->m);
    n->live = Node::Live{0, false, {}, Stamp::of(*a)};
  } else if (emptied && n->image->size() > 0) {
    n->image->clear();
  }
  return n->image.get();
}

/// After a change, with io alone.
void CompressFs::changed(const NodeRef& n) {
  {
    std::lock_guard lock(n->m);
    n->live->size = n->image->size();
    n->live->changed = n->image->changed();
    n->live->mtime = now();
  }
  std::lock_guard lock(m_);
  if (dirty_.try_emplace(n.get(), n, monotonic_ns()).second) wake_.notify_one();
}

// ---- open and closed ----

Result<Opened> CompressFs::opened(const NodeRef& n, InnerRef inner, Opened o, uint32_t flags) {
  const HandleId h{raw(handles_->emplace(1, n, std::move(inner), o.handle, flags).id)};
  o.handle = h;
  if (n->kind != Kind::packed) return o;
  // What the tree below lends are stored bytes; what may stay in caches is a question of the plain ones.
  o.backing_fd = -1;
  o.backing_id = 0;
  o.flags &= ~uint32_t{kOpenedKeepCache | kOpenedNoFlush};
  std::unique_lock io(n->io);
  n->handles++;
  io.unlock();
  auto a = attr_below(*n->inner());
  std::lock_guard lock(n->m);
  if (n->live && n->live->changed) {
    if (n->cached) o.flags |= kOpenedKeepCache;  // all changes since came from here
  } else if (a) {
    const Stamp now = Stamp::of(*a);
    if (n->cached && n->cached->same_content(now)) o.flags |= kOpenedKeepCache;
    n->cached = now;
    if (n->live && !n->live->stored.same_content(now)) n->stale = true;
  }
  return o;
}

/// A client that was shown no bytes would not ask for any, and take a damaged file for an empty one.
Status CompressFs::decodable(const Context& ctx, Node& n) {
  {
    std::lock_guard lock(n.m);
    if (n.live || !n.known || n.known->second) return Unit{};
  }
  auto a = shown_attr(ctx, n, nullptr, nullptr);  // it may have been mended
  if (!a) return a.error();
  std::lock_guard lock(n.m);
  return n.known && !n.known->second ? Status(err(EIO)) : Status(Unit{});
}

Result<Opened> CompressFs::open(const Context& ctx, const op::Open& a) {
  auto n = nodes_->get(a.node, Op::Open);
  if (!n) return n.error();
  const InnerRef inner = (*n)->inner();
  op::Open args = a;
  args.node = inner->node;
  const bool packed = (*n)->kind == Kind::packed;
  if (packed) args.flags &= ~uint32_t{O_TRUNC | O_APPEND | O_DIRECT};
  if (packed && (a.flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY)  // others may be about to replace it
    if (auto s = decodable(ctx, **n); !s) return s.error();
  // It is asked whether the caller may write to the stored file: what is written to it is another matter.
  if (packed && (a.flags & O_TRUNC) && (a.flags & O_ACCMODE) == O_RDONLY) args.flags |= O_RDWR;
  auto o = below(ctx, args);
  if (!o) return o;
  if (packed && (a.flags & O_TRUNC)) {
    std::unique_lock io((*n)->io);
    Status s = kill_suidgid(ctx, **n, a.kill_suidgid);
    if (s) s = resize(*n, 0);
    if (!s) {
      io.unlock();
      op::Release end;
      end.node = inner->node;
      end.handle = o->handle;
      (void)below(own(), end);
      return s.error();
    }
  }
  return opened(*n, inner, *o, a.flags);
}

Status CompressFs::release(const Context& ctx, const op::Release& a) {
  const Handle* h = handle(a.handle);
  if (!h) return Unit{};
  const NodeRef node = h->node;
  const InnerRef inner = h->inner;
  const bool writes = h->writes();
  op::Release args = a;
  args.node = inner->node;
  args.handle = h->below;
  handles_->erase(NodeId{raw(a.handle)});
  if (node->kind == Kind::packed) {
    Node& n = *node;
    if (writes)
      if (auto s = store(node, false); !s)
        log(LogLevel::error, "compress: '{}' could not be stored when it was closed: {}", label(n), text_of(s.error()));
    std::unique_lock io(n.io);
    // What could not be stored is tried again for as long as we serve; of a file without a name nothing is left to do.
    if (--n.handles == 0 && n.image) {
      auto a_below = attr_below(*n.inner());
      if (!n.image->changed() || !a_below || a_below->nlink == 0) {
        clean(n);
        drop_image(n);
      }
    }
  }
  return below(ctx, args);
}

// ---- bytes ----

/// What is in memory of a file that somebody changed below. True: read again.
bool CompressFs::reload_if_stale(Node& n) {
  std::unique_lock io(n.io);
  if (!n.image || n.image->changed()) return false;
  auto a = attr_below(*n.inner());
  std::lock_guard lock(n.m);
  if (!a || n.live->stored.same_content(Stamp::of(*a))) return false;
  n.stale = true;
  return true;
}

Result<Buffer> CompressFs::read_packed(const NodeRef& n, const op::Read& a) {
  std::string room;
  MutableBytes to = a.into;
  if (to.empty()) {
    room.resize(a.size);
    to = std::as_writable_bytes(std::span(room));
  } else {
    to = to.first(std::min(to.size(), a.size));
  }
  Result<size_t> got = size_t{0};
  for (bool again = false;; again = true) {
    std::shared_lock io(n->io);
    while (!n->image || (n->stale && !n->image->changed())) {
      io.unlock();
      {
        std::unique_lock alone(n->io);
        if (auto s = load(*n); !s) return s.error();
      }
      io.lock();
    }
    got = n->image->read(a.offset, to);
    io.unlock();
    if (got || got.error() != err(EIO) || again || !reload_if_stale(*n)) break;
  }
  if (a.handle == HandleId::none) {
    std::unique_lock io(n->io);
    if (n->handles == 0 && n->image && !n->image->changed()) drop_image(*n);
  }
  if (!got) return got.error();
  if (room.empty()) return Buffer::filled(*got);
  room.resize(*got);
  return Buffer::own(std::move(room));
}

/// That somebody reads is seen by the tree below, which has its own rules of access times, once an open.
void CompressFs::touch(const Handle& h, const op::Read& a) {
  if ((h.flags & O_ACCMODE) == O_WRONLY || h.accessed.exchange(true)) return;
  std::byte one[1];
  op::Read r = a;
  r.node = h.inner->node;
  r.handle = h.below;
  r.offset = 0;
  r.size = sizeof one;
  r.into = one;
  (void)below(own(), r);
}

void CompressFs::read(Call<op::Read> c) {
  auto n = nodes_->get(c->node, Op::Read);
  if (!n) return c.fail(n.error());
  if ((*n)->kind != Kind::packed) return pass_on(std::move(c), below_of(c->handle));
  auto got = read_packed(*n, *c);
  if (const Handle* h = handle(c->handle); h && got) touch(*h, *c);
  c.finish(std::move(got));
}

Result<size_t> CompressFs::write_packed(const Context& ctx, const NodeRef& n, const op::Write& a) {
  const Handle* h = handle(a.handle);
  if (h && !h->writes() && !a.from_cache) return err(EBADF);
  std::string room;
  auto bytes = a.data->in_one_piece(room);
  if (!bytes) return bytes.error();
  {
    std::unique_lock io(n->io);
    auto image = writable(n, false);
    if (!image) return image.error();
    if (!a.from_cache || a.kill_suidgid)
      if (auto s = kill_suidgid(ctx, *n, a.kill_suidgid); !s) return s.error();
    // What a cache writes back has its place already.
    const uint64_t offset = a.append && !a.from_cache ? (*image)->size() : a.offset;
    auto s = (*image)->write(offset, *bytes);
    changed(n);
    if (!s) return s.error();
  }
  if (a.through)
    if (auto s = store(n, true); !s) return s.error();
  return bytes->size();
}

void CompressFs::write(Call<op::Write> c) {
  auto n = nodes_->get(c->node, Op::Write);
  if (!n) return c.fail(n.error());
  if ((*n)->kind != Kind::packed) return pass_on(std::move(c), below_of(c->handle));
  c.finish(write_packed(c.context(), *n, *c));
}

void CompressFs::flush(Call<op::Flush> c) {
  auto n = nodes_->get(c->node, Op::Flush);
  if (!n) return c.fail(n.error());
  if ((*n)->kind != Kind::packed) return pass_on(std::move(c), below_of(c->handle));
  const Handle* h = handle(c->handle);
  c.finish(h && h->writes() ? store(*n, false) : Status(Unit{}));
}

void CompressFs::fsync(Call<op::Fsync> c) {
  auto n = nodes_->get(c->node, Op::Fsync);
  if (!n) return c.fail(n.error());
  if ((*n)->kind != Kind::packed) return pass_on(std::move(c), below_of(c->handle));
  c.finish(store(*n, true));
}

Status CompressFs::sync(const Context& ctx, const op::Sync& a) {
  auto stored = store_all(true);
  auto s = below(ctx, a);
  return stored ? s : stored;
}

Status CompressFs::fallocate_packed(const Context& ctx, const NodeRef& n, const op::Fallocate& a) {
  const int kind = a.mode & ~FALLOC_FL_KEEP_SIZE;
  // Room for what will be written cannot be promised: nobody knows how well that compresses.
  if (kind != FALLOC_FL_ZERO_RANGE && a.mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) return err(EOPNOTSUPP);
  const Handle* h = handle(a.handle);
  if (h && !h->writes()) return err(EBADF);
  if (a.length == 0) return err(EINVAL);
  if (a.offset > kMostPlain || a.length > kMostPlain - a.offset) return err(EFBIG);
  std::unique_lock io(n->io);
  auto image = writable(n, false);
  if (!image) return image.error();
  Status s = kill_suidgid(ctx, *n, false);
  if (s) s = (*image)->zero(a.offset, a.length);
  if (s && !(a.mode & FALLOC_FL_KEEP_SIZE) && a.offset + a.length > (*image)->size())
    s = (*image)->resize(a.offset + a.length);
  changed(n);
  return s;
}

void CompressFs::fallocate(Call<op::Fallocate> c) {
  auto n = nodes_->get(c->node, Op::Fallocate);
  if (!n) return c.fail(n.error());
  if ((*n)->kind != Kind::packed) return pass_on(std::move(c), below_of(c->handle));
  c.finish(fallocate_packed(c.context(), *n, *c));
}

void CompressFs::seek_hole(Call<op::SeekHole> c) {
  auto n = nodes_->get(c->node, Op::SeekHole);
  if (!n) return c.fail(n.error());
  if ((*n)->kind != Kind::packed) return pass_on(std::move(c), below_of(c->handle));
  if (c->whence != SEEK_DATA && c->whence != SEEK_HOLE) return c.fail(EINVAL);
  std::unique_lock io((*n)->io);
  if (auto s = load(**n); !s) return c.fail(s.error());
  Image& image = *(*n)->image;
  if (c->offset >= image.size()) return c.fail(ENXIO);
  auto at = image.seek(c->offset, c->whence == SEEK_DATA);
  if (at && c->whence == SEEK_DATA && *at >= image.size()) return c.fail(ENXIO);
  c.finish(at);
}

}  // namespace isthmus::fs::compress
