#include "vfs/defaults.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "vfs/baton.h"
#include "vfs/permissions.h"
#include "vfs/then.h"

/// The defaults, one page:
///   forget, open, open_dir, flush, release, release_dir, fsync, fsync_dir, sync   succeed (no state: handle none)
///   statfs         zeros and the trait's name_max          access       mode bits of getattr
///   create         mknod + open                            mknod        (regular files) create + release
///   copy_range     read + write                            seek_hole    one extent of data, then the hole at the end
///   get/set_acl    POSIX kinds by system.posix_acl_*       poll         readable and writable
///   ioctl          ENOTTY                                  set_lease    none granted
///   changes on a read-only file system EROFS; everything else ENOSYS, which doors turn into "not supported".
namespace isthmus {

bool is_read_only(const FileSystem& fs) {
  return (fs.capabilities().bits() & kChanges.bits()) == 0 || fs.traits().read_only;
}

namespace detail {
namespace {

// ---- access ----

void default_access(FileSystem& fs, Call<op::Access> c) {
  if ((c->mask & W_OK) && is_read_only(fs)) return c.fail(EROFS);
  Context ctx = c.context();
  op::Getattr get{{}, c->node, HandleId::none};
  call_then(fs, ctx, get, [c = std::move(c), ctx](Result<Attributes> r) mutable {
    if (!r) return c.fail(r.error());
    Guard guard{r->attr.mode, r->attr.uid, r->attr.gid, nullptr};
    c.finish(ctx.cred.known ? may_access(ctx.cred, guard, static_cast<uint32_t>(c->mask)) : Status(Unit{}));
  });
}

// ---- create, mknod ----

void open_created(FileSystem& fs, Call<op::Create> c, Entry e) {
  Context ctx = c.context();
  op::Open open{{}, e.node, c->flags & ~uint32_t{O_CREAT | O_EXCL}, c->share, c->kill_suidgid};
  call_then(fs, ctx, open, [&fs, c = std::move(c), ctx, e](Result<Opened> o) mutable {
    if (o) return c.reply({e, *o});
    forget(fs, ctx, e.node);  // the answer that would have carried the lookup is an error
    c.fail(o.error());
  });
}

void open_existing(FileSystem& fs, Call<op::Create> c) {
  Context ctx = c.context();
  op::Lookup look{{}, c->dir, c->name};
  call_then(fs, ctx, look, [&fs, c = std::move(c)](Result<Entry> e) mutable {
    if (!e) return c.fail(e.error());
    if (e->node == NodeId::none) return c.fail(ENOENT);
    open_created(fs, std::move(c), *e);
  });
}

void default_create(FileSystem& fs, Call<op::Create> c) {
  if (!fs.capabilities().has(Op::Mknod)) return c.fail(is_read_only(fs) ? EROFS : ENOSYS);
  Context ctx = c.context();
  op::Mknod make{{}, c->dir, c->name, (c->mode & 07777) | S_IFREG, 0, c->labels};
  call_then(fs, ctx, make, [&fs, c = std::move(c)](Result<Entry> e) mutable {
    if (e) return open_created(fs, std::move(c), *e);
    if (e.error() == err(EEXIST) && !(c->flags & O_EXCL)) return open_existing(fs, std::move(c));
    c.fail(e.error());
  });
}

void default_mknod(FileSystem& fs, Call<op::Mknod> c) {
  if (!fs.capabilities().has(Op::Create)) return c.fail(is_read_only(fs) ? EROFS : ENOSYS);
  if (!S_ISREG(c->mode)) return c.fail(EPERM);
  Context ctx = c.context();
  op::Create create{{}, c->dir, c->name, c->mode, O_CREAT | O_EXCL | O_WRONLY, 7, false, c->labels};
  call_then(fs, ctx, create, [&fs, c = std::move(c), ctx](Result<Created> r) mutable {
    if (!r) return c.fail(r.error());
    op::Release release;
    release.node = r->entry.node;
    release.handle = r->opened.handle;
    call_then(fs, ctx, release, [c = std::move(c), e = r->entry](Status) mutable { c.reply(e); });
  });
}

// ---- copy_range ----

/// Copies in pieces, one read or write at a time.
class Copy {
 public:
  Copy(FileSystem& fs, Call<op::CopyRange> c) : fs_(fs), call_(std::move(c)), ctx_(call_.context()) {}
  void run() {
    for (;;) {
      if (left() == 0 || ctx_.cancelled()) return done(ctx_.cancelled() && !copied_ ? EINTR : 0);
      baton_.start();
      if (have_ == 0)
        read();
      else
        write();
      if (!baton_.answered_already()) return;  // *this may be gone
      if (finished_) return done(error_);
    }
  }

 private:
  static constexpr size_t kPiece = size_t{128} << 10;

  uint64_t left() const { return call_->length - copied_; }
  void read() {
    if (!piece_) piece_ = std::make_unique<std::byte[]>(kPiece);
    op::Read r;
    r.node = call_->from;
    r.handle = call_->from_handle;
    r.offset = call_->from_offset + copied_;
    r.size = static_cast<size_t>(std::min<uint64_t>(left(), kPiece));
    r.into = {piece_.get(), r.size};
    call_then(fs_, ctx_, r, [this](Result<Buffer> b) {
      auto n = b ? b->copy_to({piece_.get(), kPiece}, {piece_.get(), kPiece}) : Result<size_t>(b.error());
      if (!n || *n == 0) finish(n.code());
      if (n) have_ = *n;
      step();
    });
  }
  void write() {
    data_ = Buffer::view({piece_.get(), have_});
    op::Write w;
    w.node = call_->to;
    w.handle = call_->to_handle;
    w.offset = call_->to_offset + copied_;
    w.data = &data_;
    call_then(fs_, ctx_, w, [this](Result<size_t> n) {
      if (n) copied_ += *n;
      if (!n || *n < have_) finish(n ? (copied_ ? 0 : EIO) : n.code());
      have_ = 0;
      step();
    });
  }
  void finish(int error) {
    finished_ = true;
    error_ = error;
  }
  void step() {
    if (!baton_.submitter_left()) return;
    if (finished_) return done(error_);
    run();
  }
  void done(int error) {
    Call<op::CopyRange> c = std::move(call_);
    uint64_t n = copied_;
    delete this;
    if (error && n == 0) return c.fail(error);
    c.reply(n);
  }

  FileSystem& fs_;
  Call<op::CopyRange> call_;
  Context ctx_;
  std::unique_ptr<std::byte[]> piece_;
  Buffer data_;
  size_t have_ = 0;
  uint64_t copied_ = 0;
  bool finished_ = false;
  int error_ = 0;
  Baton baton_;
};

/// True when both ranges lie in one file and share a byte: copying forward in pieces would read what it wrote.
bool overlaps(const op::CopyRange& a) {
  uint64_t gap = a.from_offset > a.to_offset ? a.from_offset - a.to_offset : a.to_offset - a.from_offset;
  return a.from == a.to && gap < a.length;
}

void default_copy_range(FileSystem& fs, Call<op::CopyRange> c) {
  if (!fs.capabilities().has(Op::Write)) return c.fail(is_read_only(fs) ? EROFS : ENOSYS);
  if (c->flags || overlaps(*c)) return c.fail(EINVAL);
  if (c->length > kLockEof || c->from_offset > kLockEof - c->length || c->to_offset > kLockEof - c->length)
    return c.fail(EFBIG);
  (new Copy(fs, std::move(c)))->run();
}

// ---- seek_hole ----

void default_seek_hole(FileSystem& fs, Call<op::SeekHole> c) {
  Context ctx = c.context();
  op::Getattr get{{}, c->node, c->handle};
  call_then(fs, ctx, get, [c = std::move(c)](Result<Attributes> r) mutable {
    if (!r) return c.fail(r.error());
    if (c->whence != SEEK_DATA && c->whence != SEEK_HOLE) return c.fail(EINVAL);
    if (c->offset >= r->attr.size) return c.fail(ENXIO);
    c.reply(c->whence == SEEK_DATA ? c->offset : r->attr.size);
  });
}

// ---- ACLs by xattr ----

std::string_view acl_xattr(AclKind kind) {
  switch (kind) {
    case AclKind::posix_access:
      return kAccessAclName;
    case AclKind::posix_default:
      return kDefaultAclName;
    default:
      return {};
  }
}

void default_get_acl(FileSystem& fs, Call<op::GetAcl> c) {
  auto name = acl_xattr(c->kind);
  if (name.empty() || !fs.capabilities().has(Op::GetXattr)) return c.fail(ENOSYS);
  Context ctx = c.context();
  op::GetXattr get{{}, c->node, name};
  call_then(fs, ctx, get, [c = std::move(c)](Result<std::string> r) mutable { c.finish(std::move(r)); });
}

void default_set_acl(FileSystem& fs, Call<op::SetAcl> c) {
  auto name = acl_xattr(c->kind);
  Op needs = c->acl.empty() ? Op::RemoveXattr : Op::SetXattr;
  if (name.empty() || !fs.capabilities().has(needs)) return c.fail(is_read_only(fs) ? EROFS : ENOSYS);
  Context ctx = c.context();
  auto answer = [](Call<op::SetAcl> call) { return [call = std::move(call)](Status s) mutable { call.finish(s); }; };
  if (needs == Op::RemoveXattr) {
    op::RemoveXattr remove{{}, c->node, name};
    return call_then(fs, ctx, remove, answer(std::move(c)));
  }
  op::SetXattr set{{}, c->node, name, c->acl};
  call_then(fs, ctx, set, answer(std::move(c)));
}

}  // namespace

template <class T>
void run_default(FileSystem& fs, Call<T> c) {
  if constexpr (T::id == Op::Forget || T::id == Op::Flush || T::id == Op::Release || T::id == Op::ReleaseDir ||
                T::id == Op::Fsync || T::id == Op::FsyncDir || T::id == Op::Sync || T::id == Op::Open ||
                T::id == Op::OpenDir || T::id == Op::SetLease)
    c.reply({});
  else if constexpr (T::id == Op::Statfs) {
    StatFs s;
    s.name_max = fs.traits().name_max;
    c.reply(s);
  } else if constexpr (T::id == Op::Poll)
    c.reply(c->events & uint32_t{POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM});
  else if constexpr (T::id == Op::Ioctl)
    c.fail(ENOTTY);
  else if constexpr (T::id == Op::Access)
    default_access(fs, std::move(c));
  else if constexpr (T::id == Op::Create)
    default_create(fs, std::move(c));
  else if constexpr (T::id == Op::Mknod)
    default_mknod(fs, std::move(c));
  else if constexpr (T::id == Op::CopyRange)
    default_copy_range(fs, std::move(c));
  else if constexpr (T::id == Op::SeekHole)
    default_seek_hole(fs, std::move(c));
  else if constexpr (T::id == Op::GetAcl)
    default_get_acl(fs, std::move(c));
  else if constexpr (T::id == Op::SetAcl)
    default_set_acl(fs, std::move(c));
  else
    c.fail(kChanges.has(T::id) && is_read_only(fs) ? EROFS : ENOSYS);
}

#define X(Type, method, R) template void run_default<op::Type>(FileSystem&, Call<op::Type>);
#include "vfs/ops.def"
#undef X

}  // namespace detail
}  // namespace isthmus
