#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/mem/mem_fs.h"

/// Open files and their bytes.
namespace isthmus::fs::mem {
namespace {

constexpr uint64_t kMaxSize = INT64_MAX;

uint32_t wanted_by(uint32_t flags) {
  uint32_t want = 0;
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      want = kWantRead;
      break;
    case O_WRONLY:
      want = kWantWrite;
      break;
    default:
      want = kWantRead | kWantWrite;
  }
  if (flags & O_TRUNC) want |= kWantWrite;
  // Linux opens a program for execution with this flag (FMODE_EXEC); reading it is not asked for.
  constexpr uint32_t kExec = 0x20;
  return flags & kExec ? kWantExecute : want;
}

}  // namespace

/// With the inode locked.
Status MemFs::open_checks(const Context& ctx, const Inode& n, uint32_t flags) const {
  uint32_t want = wanted_by(flags);
  if (auto s = check(ctx, n, want); !s) return s;
  if (!n.extras || !(want & kWantWrite)) return Unit{};
  if (n.extras->flags & FS_IMMUTABLE_FL) return err(EPERM);
  if ((n.extras->flags & FS_APPEND_FL) && (!(flags & O_APPEND) || (flags & O_TRUNC))) return err(EPERM);
  return Unit{};
}

Result<Opened> MemFs::open(const Context& ctx, const op::Open& a) {
  auto found = find(a.node, Op::Open);
  if (!found) return found.error();
  Inode& n = **found;
  if (n.is_dir()) return err(EISDIR);
  if (n.is(S_IFLNK)) return err(ELOOP);
  if (!n.is(S_IFREG)) return err(ENXIO);  // kernels serve fifos, sockets and devices themselves
  bool truncate = a.flags & O_TRUNC;
  if (truncate) {
    Unique lock(n.m);
    if (auto s = open_checks(ctx, n, a.flags); !s) return s.error();
    if (auto s = resize(n, 0); !s) return s.error();
    kill_privileges(ctx, n, a.kill_suidgid);
    if (n.extras) remove_plain_xattr(n, "security.capability");
    changed(n, now());
  } else {
    Shared lock(n.m);
    if (auto s = open_checks(ctx, n, a.flags); !s) return s.error();
  }
  if (truncate && watching()) notify_node(n, kWatchModified);
  return make_handle(n, a.flags, 0);
}

Result<Unit> MemFs::flush(const Context&, const op::Flush& a) {
  locks_.release_owner(a.node, a.lock_owner);
  return Unit{};
}

Result<Unit> MemFs::release(const Context&, const op::Release& a) {
  if (a.unlock_flock) locks_.release_flock(a.node, a.lock_owner);
  locks_.release_handle(a.node, a.handle);
  drop_handle(a.handle);
  return Unit{};
}

Result<Unit> MemFs::fsync(const Context&, const op::Fsync& a) {
  if (auto n = find(a.node, Op::Fsync); !n) return n.error();
  return Unit{};
}

Result<Unit> MemFs::sync(const Context&, const op::Sync&) { return Unit{}; }

Result<Buffer> MemFs::read(const Context& ctx, const op::Read& a) {
  auto found = find_file(a.node, Op::Read);
  if (!found) return found.error();
  Inode& n = **found;
  Buffer answer = Buffer::filled(0);
  bool accessed = false;
  {
    Shared lock(n.m);
    if (auto s = check_io(ctx, n, a.handle, kWantRead); !s) return s.error();
    if (a.offset > kMaxSize) return err(EINVAL);
    size_t count = a.offset < n.size ? static_cast<size_t>(std::min<uint64_t>(a.size, n.size - a.offset)) : 0;
    if (count && a.into.empty()) {
      std::string bytes(count, '\0');
      n.data().read(a.offset, std::as_writable_bytes(std::span(bytes)));
      answer = Buffer::own(std::move(bytes));
    } else {
      count = std::min(count, a.into.size());
      n.data().read(a.offset, a.into.first(count));
      answer = Buffer::filled(count);
    }
    accessed = atime_is_due(n, a.flags);
  }
  if (accessed) set_atime(n);
  return answer;
}

Result<size_t> MemFs::write(const Context& ctx, const op::Write& a) {
  auto found = find_file(a.node, Op::Write);
  if (!found) return found.error();
  auto handle = find_handle(a.handle, **found);
  if (!handle) return handle.error();
  if (*handle && !a.from_cache && ((*handle)->flags & O_ACCMODE) == O_RDONLY) return err(EBADF);
  Inode& n = **found;

  // Bytes that are still in a file or in pieces are fetched before anything is locked.
  std::string gathered;
  auto all = a.data->in_one_piece(gathered);
  if (!all) return all.error();
  Bytes bytes = *all;
  if (bytes.empty()) return size_t{0};
  size_t done = 0;
  {
    Unique lock(n.m);
    if (!a.from_cache)
      if (auto s = check_io(ctx, n, a.handle, kWantWrite); !s) return s.error();
    uint64_t offset = a.append ? n.size : a.offset;
    if (n.extras && n.extras->flags) {
      if (n.extras->flags & FS_IMMUTABLE_FL) return err(EPERM);
      if ((n.extras->flags & FS_APPEND_FL) && offset < n.size) return err(EPERM);
    }
    if (offset >= kMaxSize) return err(EFBIG);
    bytes = bytes.first(static_cast<size_t>(std::min<uint64_t>(bytes.size(), kMaxSize - offset)));
    Errno why{};
    done = n.data().write(offset, bytes, payer(n), why);
    if (!done) return why;
    n.size = std::max(n.size, offset + done);
    kill_privileges(ctx, n, a.kill_suidgid);
    if (n.extras) remove_plain_xattr(n, "security.capability");
    if (!ctx.client_times) changed(n, now());
  }
  if (watching()) notify_node(n, kWatchModified);
  return done;
}

Result<std::string> MemFs::readlink(const Context&, const op::Readlink& a) {
  auto n = find(a.node, Op::Readlink);
  if (!n) return n.error();
  if (!(*n)->is(S_IFLNK)) return err(EINVAL);
  touch_atime(**n, 0);
  return std::string((*n)->target());  // never changes
}

}  // namespace isthmus::fs::mem
