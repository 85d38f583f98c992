// What stat sees, and what changes it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fs/compress/compress_fs.h"
#include "vfs/permissions.h"

namespace isthmus::fs::compress {

/// The plain size of what `inner` was when it had the attributes `a`. A damaged file has none: it is shown as empty, so
/// that it can be removed, and not opened.
Result<uint64_t> CompressFs::plain_size(const Context& ctx, Node& n, const InnerRef& inner, const Attr& a) {
  Attr is = a;
  if (a.nlink > 1) {
    redo(n, inner, a);
    if (auto now = attr_below(*inner)) is = *now;
  }
  auto file = OpenBelow::open(inner, O_RDONLY);
  std::string why;
  auto layout = file ? read_layout(**file, is.size, false, why, [&ctx] { return ctx.cancelled(); })
                     : Result<Layout>(file.error());
  if (!layout) {
    if (layout.error() == err(EINTR) || layout.error() == err(ENOMEM)) return layout.error();
    log(LogLevel::error, "compress: '{}' cannot be decoded: {}", label(n),
        why.empty() ? text_of(layout.error()) : std::string_view(why));
  }
  std::lock_guard lock(n.m);
  n.known = {Stamp::of(is), layout ? std::optional(layout->plain) : std::nullopt};
  return n.known->second.value_or(0);
}

Result<Attr> CompressFs::shown_attr(const Context& ctx, Node& n, const Attr* given, const Inner* of) {
  for (;;) {
    const InnerRef inner = n.inner();
    Attr a;
    if (given && of == inner.get()) {
      a = *given;
    } else {
      auto got = attr_below(*inner);
      if (!got) return got;
      a = *got;
    }
    given = nullptr;
    const uint64_t real = a.ino;
    if (n.kind == Kind::packed) {
      std::optional<uint64_t> size;
      {
        std::lock_guard lock(n.m);
        const Stamp now = Stamp::of(a);
        if (n.live && n.live->changed) {
          size = n.live->size;
          a.mtime = n.live->mtime;
          a.ctime = std::max(a.ctime, a.mtime);
        } else if (n.live && n.live->stored.same_content(now)) {
          size = n.live->size;
        } else {
          if (n.live) n.stale = true;
          if (n.known && n.known->first == now) size = n.known->second.value_or(0);
        }
      }
      if (!size) {
        auto read = plain_size(ctx, n, inner, a);
        if (!read) return read.error();
        size = *read;
      }
      a.size = *size;
      if (n.inner() != inner) continue;  // it was stored anew meanwhile: what was found is the old file's
    }
    if (n.kind == Kind::packed && a.size == 0) a.blocks = 0;  // the frame of nothing
    a.ino = nodes_->shown_ino(n, real);
    return a;
  }
}

/// The answer to a door for a node that is counted for it; e: what the tree below answered, or nothing.
Result<Entry> CompressFs::entry(const Context& ctx, const NodeRef& n, Entry e) {
  const InnerRef inner = n->inner();
  auto a = shown_attr(ctx, *n, e.node == inner->node ? &e.attr : nullptr, inner.get());
  if (!a) {
    nodes_->forget(n->id.load(), 1);
    return a.error();
  }
  e.attr = *a;
  e.node = n->id.load();
  e.generation = 0;  // numbers of nodes are not used again, and what the tree below says changes when a file is stored
  return e;
}

Result<Attributes> CompressFs::getattr(const Context& ctx, const op::Getattr& a) {
  auto n = nodes_->get(a.node, Op::Getattr);
  if (!n) return n.error();
  const InnerRef inner = (*n)->inner();
  op::Getattr args = a;
  args.node = inner->node;
  const auto* h = handle(a.handle);
  args.handle = h && h->inner == inner ? h->below : HandleId::none;
  args.by_handle = args.by_handle && args.handle != HandleId::none;
  auto got = below(ctx, args);
  if (!got) return got;
  auto shown = shown_attr(ctx, **n, &got->attr, inner.get());
  if (!shown) return shown.error();
  return Attributes{*shown, got->ttl};
}

Result<StatFs> CompressFs::statfs(const Context& ctx, const op::Statfs& a) {
  auto n = nodes_->get(a.node, Op::Statfs);
  if (!n) return n.error();
  const InnerRef inner = (*n)->inner();
  auto s = below(ctx, op::Statfs{{}, inner->node});
  if (s) s->name_max = shown_name_max(s->name_max);
  return s;
}

/// A change of attributes, which must not get lost when a file is stored anew.
template <class T>
Status CompressFs::change(const Context& ctx, T args) {
  auto n = nodes_->get(args.node, T::id);
  if (!n) return n.error();
  std::unique_lock io((*n)->io, std::defer_lock);
  if ((*n)->kind == Kind::packed) io.lock();
  const InnerRef inner = (*n)->inner();
  args.node = inner->node;
  return below(ctx, args);
}

Status CompressFs::set_xattr(const Context& ctx, const op::SetXattr& a) { return change(ctx, a); }
Status CompressFs::remove_xattr(const Context& ctx, const op::RemoveXattr& a) { return change(ctx, a); }
Status CompressFs::set_acl(const Context& ctx, const op::SetAcl& a) { return change(ctx, a); }

/// As Linux does when somebody writes to a file: where the door asks for it, or has left it to us.
Status CompressFs::kill_suidgid(const Context& ctx, Node& n, bool asked) {
  if (!asked && (skips_checks(ctx) || ctx.cred.uid == 0)) return Unit{};
  const InnerRef inner = n.inner();
  auto a = attr_below(*inner);
  if (!a) return a.error();
  const uint32_t mode = without_suidgid(ctx.cred, a->mode, a->gid);
  if (mode == a->mode) return Unit{};
  op::Setattr s{{}, inner->node, HandleId::none};
  s.set.mask = kSetMode;
  s.set.to.mode = mode;
  auto r = below(own(), s);
  return r ? Status(Unit{}) : Status(r.error());
}

/// With io alone.
Status CompressFs::resize(const NodeRef& n, uint64_t size) {
  auto image = writable(n, size == 0);
  if (!image) return image.error();
  if (size != (*image)->size()) {
    auto s = (*image)->resize(size);
    changed(n);
    return s;
  }
  if ((*image)->changed()) {
    changed(n);
    return Unit{};
  }
  // Nothing to store; the times are set all the same.
  op::Setattr times{{}, n->inner()->node, HandleId::none};
  times.set.mask = kSetMtimeNow;
  auto r = below(own(), times);
  if (!r) return r.error();
  std::lock_guard lock(n->m);
  n->live->stored = Stamp::of(r->attr);
  return Unit{};
}

Result<Attributes> CompressFs::setattr(const Context& ctx, const op::Setattr& a) {
  auto found = nodes_->get(a.node, Op::Setattr);
  if (!found) return found.error();
  const NodeRef& n = *found;
  op::Setattr args = a;
  const auto* h = handle(a.handle);
  if (n->kind != Kind::packed) {
    args.node = n->inner()->node;
    args.handle = h ? h->below : HandleId::none;
    args.by_handle = args.by_handle && h;
    auto r = below(ctx, args);
    if (r) r->attr.ino = nodes_->shown_ino(*n, r->attr.ino);
    return r;
  }

  bool store_now = false;
  Ttl ttl = 0;
  {
    std::unique_lock io(n->io);
    const bool sized = a.set.mask & kSetSize;
    if (sized) {
      if (!(h && h->writes()) && !skips_checks(ctx))
        if (auto s = below(ctx, op::Access{{}, n->inner()->node, W_OK}); !s) return s.error();
      if (auto s = resize(n, a.set.to.size); !s) return s.error();
      // The rest comes in our name.
      if (auto s = kill_suidgid(ctx, *n, args.set.kill_suidgid); !s) return s.error();
      args.set.kill_suidgid = false;
      store_now = n->handles == 0;  // nobody will close it
    }
    args.node = n->inner()->node;
    args.handle = HandleId::none;
    args.by_handle = false;
    args.set.mask &= ~kSetSize;
    if (args.set.mask || args.set.kill_suidgid) {
      // Times that come with a size are the client's own stamps of that change, which it was allowed.
      auto r = below(sized ? own() : ctx, args);
      if (!r) return r;
      ttl = r->ttl;
      std::lock_guard lock(n->m);
      if (n->live && args.set.mask & (kSetMtime | kSetMtimeNow)) {
        n->live->mtime = r->attr.mtime;
        n->live->stored.mtime = r->attr.mtime;
        if (n->cached) n->cached->mtime = r->attr.mtime;
      }
    }
  }
  if (store_now)
    if (auto s = store(n, false); !s) return s.error();
  auto shown = shown_attr(ctx, *n, nullptr, nullptr);
  if (!shown) return shown.error();
  return Attributes{*shown, ttl};
}

}  // namespace isthmus::fs::compress
