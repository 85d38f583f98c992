#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "fs/mem/mem_fs.h"

/// What stat, chmod, chown, truncate, utimensat and statvfs see and change.
namespace isthmus::fs::mem {

Result<Attributes> MemFs::getattr(const Context&, const op::Getattr& a) {
  auto n = find(a.node, Op::Getattr);
  if (!n) return n.error();
  Shared lock((*n)->m);
  return Attributes{attr_of(**n), options_.ttl};
}

/// The size alone, with what lies behind it; the caller cares for rights and times.
Status MemFs::resize(Inode& n, uint64_t size) {
  if (size > static_cast<uint64_t>(INT64_MAX)) return err(EFBIG);
  if (size < n.size) n.data().cut(size, payer(n));
  n.size = size;
  return Unit{};
}

namespace {

Status may_set(const Context& ctx, const Guard& g, const SetAttr& s, bool by_handle) {
  const Credentials& c = ctx.cred;
  if (s.mask & (kSetMode | kSetBtime))
    if (auto r = may_chmod(c, g); !r) return r;
  if (s.mask & (kSetUid | kSetGid)) {
    std::optional<uint32_t> uid, gid;
    if (s.mask & kSetUid) uid = s.to.uid;
    if (s.mask & kSetGid) gid = s.to.gid;
    if (auto r = may_chown(c, g, uid, gid); !r) return r;
  }
  if ((s.mask & kSetSize) && !by_handle)
    if (auto r = may_access(c, g, kWantWrite); !r) return r;
  constexpr uint32_t kTimes = kSetAtime | kSetMtime, kNow = kSetAtimeNow | kSetMtimeNow;
  // Both to now: who may write may do so. One alone, or a given time: the owner. Times that come with a new size are
  // the client's own stamps of that change.
  if ((s.mask & (kTimes | kNow)) && !(s.mask & kSetSize))
    return may_set_times(c, g, (s.mask & kNow) == kNow && !(s.mask & kTimes));
  return Unit{};
}

}  // namespace

Result<Attributes> MemFs::setattr(const Context& ctx, const op::Setattr& a) {
  auto found = find(a.node, Op::Setattr);
  if (!found) return found.error();
  auto handle = find_handle(a.handle, **found);
  if (!handle) return handle.error();
  Inode& n = **found;
  const SetAttr& s = a.set;
  if (s.mask & kSetFlags) return err(EOPNOTSUPP);
  uint32_t told = kWatchAttributes;
  Attributes answer;
  {
    Unique lock(n.m);
    if (s.mask & kSetSize) {
      if (n.is_dir()) return err(EISDIR);
      if (!n.is(S_IFREG)) return err(EINVAL);
    }
    if (auto r = may_change(n); !r) return r.error();
    if (!skips_checks(ctx)) {
      bool by_handle = *handle && ((*handle)->flags & O_ACCMODE) != O_RDONLY;
      if (auto r = may_set(ctx, guard_of(n), s, by_handle); !r) return r.error();
    }
    uint32_t uid = s.mask & kSetUid ? s.to.uid : n.uid, gid = s.mask & kSetGid ? s.to.gid : n.gid;
    if (s.mask & kSetSize && s.to.size > static_cast<uint64_t>(INT64_MAX)) return err(EFBIG);
    if (auto r = space_.move(n.uid, uid, n.charged_bytes(), 1); !r) return r.error();
    // Nothing fails below.
    uint32_t old_gid = n.gid;
    n.uid = uid;
    n.gid = gid;
    Time now = isthmus::now();
    if (s.mask & kSetSize) {
      (void)resize(n, s.to.size);
      kill_privileges(ctx, n, s.kill_suidgid);
      told |= kWatchModified;
    }
    if ((s.mask & (kSetUid | kSetGid)) && !n.is_dir()) {
      n.mode = without_suidgid(ctx.cred, n.mode, old_gid);
    }
    if (n.extras && (s.mask & (kSetUid | kSetGid | kSetSize))) remove_plain_xattr(n, "security.capability");
    if (s.mask & kSetMode) {
      uint32_t mode = s.to.mode & 07777;
      if (!skips_checks(ctx)) mode = strip_sgid(ctx.cred, mode, n.gid);
      n.mode = (n.mode & S_IFMT) | mode;
      if (n.extras && n.extras->access) n.extras->access->chmod(mode);
    } else if (s.kill_suidgid) {
      n.mode = n.is_dir() ? n.mode : without_suidgid(ctx.cred, n.mode, old_gid);
    }
    if (s.mask & kSetAtime) n.atime = s.to.atime;
    if (s.mask & kSetAtimeNow) n.atime = now;
    if (s.mask & kSetMtime)
      n.mtime = s.to.mtime;
    else if ((s.mask & kSetMtimeNow) || ((s.mask & kSetSize) && !ctx.client_times))
      n.mtime = now;
    n.ctime = s.mask & kSetCtime ? s.to.ctime : now;
    if (s.mask & kSetBtime) n.btime = s.to.btime;
    answer = {attr_of(n), options_.ttl};
  }
  if (watching()) notify_node(n, told);
  return answer;
}

Result<Unit> MemFs::access(const Context& ctx, const op::Access& a) {
  auto n = find(a.node, Op::Access);
  if (!n) return n.error();
  if (a.mask & ~(R_OK | W_OK | X_OK)) return err(EINVAL);
  if (!ctx.cred.known) return Unit{};
  Shared lock((*n)->m);
  return may_access(ctx.cred, guard_of(**n), static_cast<uint32_t>(a.mask));
}

Result<StatFs> MemFs::statfs(const Context&, const op::Statfs& a) {
  if (auto n = find(a.node, Op::Statfs); !n) return n.error();
  StatFs s;
  const Limits& l = space_.limits();
  auto [bytes, inodes] = space_.used();
  uint64_t used = (bytes + kPage - 1) / kPage;
  // Without a limit, as much as there can be is shown as free.
  s.blocks = l.bytes ? l.bytes / kPage : used + (uint64_t{1} << 40);
  s.blocks_free = s.blocks_available = s.blocks > used ? s.blocks - used : 0;
  s.files = l.inodes ? l.inodes : inodes + (uint64_t{1} << 40);
  s.files_free = s.files > inodes ? s.files - inodes : 0;
  return s;
}

}  // namespace isthmus::fs::mem
