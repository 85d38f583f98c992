#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

namespace {

constexpr uint32_t kSetTimes = kSetAtime | kSetMtime | kSetAtimeNow | kSetMtimeNow;

timespec time_to_set(const SetAttr& s, uint32_t set, uint32_t now, Time t) {
  if (s.mask & now) return {0, UTIME_NOW};
  if (s.mask & set) return to_timespec(t);
  return {0, UTIME_OMIT};
}

int steps_of(uint32_t mask) {
  return !!(mask & (kSetUid | kSetGid)) + !!(mask & kSetMode) + !!(mask & kSetSize) + !!(mask & kSetTimes);
}

}  // namespace

Result<SharedFd> PassFs::any_fd(NodeId node, HandleId h, Op op) {
  if (OpenFile* f = file(h)) return f->fd;
  auto n = nodes_.get(node, op);
  if (!n) return n.error();
  return nodes_.path(**n);
}

Result<Attributes> PassFs::getattr(const Context&, const op::Getattr& a) {
  auto n = nodes_.get(a.node, Op::Getattr);
  if (!n) return n.error();
  auto fd = any_fd(a.node, a.handle, Op::Getattr);
  if (!fd) return fd.error();
  auto st = stat_at((*fd)->get(), "");
  if (!st) return st.error();
  return attributes(**n, *st);
}

bool PassFs::in_group(const Context& ctx, uint32_t gid) const {
  if (!ctx.cred.known || ctx.cred.uid == 0 || ctx.cred.gid == gid) return true;
  auto groups = ids_->groups_of(ctx.cred);
  return std::find(groups->begin(), groups->end(), gid) != groups->end();
}

Status PassFs::kill_suidgid(const Context& ctx, int fd) {
  if (!ids_->has_capability(CAP_FSETID)) return Unit{};  // then the kernel below does it to us
  auto st = stat_at(fd, "");
  if (!st) return st.error();
  uint32_t mode = st->stx_mode;
  if (!S_ISREG(mode) || !(mode & (S_ISUID | S_ISGID))) return Unit{};
  // Without S_IXGRP set-group-ID does not run anything, but only members of the group may leave it there.
  uint32_t kill = S_ISUID;
  if ((mode & S_ISGID) && ((mode & S_IXGRP) || !in_group(ctx, st->stx_gid))) kill |= S_ISGID;
  if (!(mode & kill)) return Unit{};
  return change_mode(fd, mode & ~kill);
}

Status PassFs::set_owner(int fd, const SetAttr& s) {
  if (!(s.mask & (kSetUid | kSetGid))) return Unit{};
  uid_t uid = s.mask & kSetUid ? s.to.uid : static_cast<uid_t>(-1);
  gid_t gid = s.mask & kSetGid ? s.to.gid : static_cast<gid_t>(-1);
  return check(::fchownat(fd, "", uid, gid, AT_EMPTY_PATH));
}

Status PassFs::set_size(const Context& ctx, Node& n, HandleId h, int fd, uint64_t size) {
  if (size > INT64_MAX) return err(EINVAL);
  if (n.type != S_IFREG) return err(n.type == S_IFDIR ? EISDIR : EINVAL);
  OpenFile* f = file(h);
  if (f) f->wrote.store(true, std::memory_order_relaxed);
  if (f && (f->flags & O_ACCMODE) != O_RDONLY)
    return check(no_eintr([&] { return ::ftruncate(f->fd->get(), static_cast<off_t>(size)); }));
  if (!f && shares(ctx) && !late(n)) {
    auto shared = nodes_.data(n, Use::write);
    if (!shared) return shared.error();
    return check(no_eintr([&] { return ::ftruncate((*shared)->get(), static_cast<off_t>(size)); }));
  }
  // Not truncate(2): with a size that is already there it may leave the times alone, and this may be an open with
  // O_TRUNC.
  Fd writable(no_eintr([&] { return ::open(ProcPath(fd).c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY); }));
  if (!writable) return last_errno();
  return check(no_eintr([&] { return ::ftruncate(writable.get(), static_cast<off_t>(size)); }));
}

Status PassFs::set_times(int fd, const SetAttr& s) {
  if (!(s.mask & kSetTimes)) return Unit{};
  timespec t[2] = {time_to_set(s, kSetAtime, kSetAtimeNow, s.to.atime),
                   time_to_set(s, kSetMtime, kSetMtimeNow, s.to.mtime)};
  if (::utimensat(fd, "", t, AT_EMPTY_PATH) == 0) return Unit{};
  if (errno != EINVAL) return last_errno();
  ProcPath p(fd);  // kernels before 5.8 do not know the flag
  return check(::utimensat(AT_FDCWD, p.c_str(), t, 0));
}

/// Owner before mode, because chown(2) clears set-user-ID; size before times, which it changes.
Status PassFs::set_all(const Context& ctx, Node& n, HandleId h, int fd, const SetAttr& s) {
  AsCaller as(*ids_, ctx, AsCaller::Why::check);
  if (!as) return as.error();
  Result<struct ::statx> before = err(ENODATA);
  if (steps_of(s.mask) > 1) before = stat_at(fd, "");
  Status r = set_owner(fd, s);
  bool owner_set = r && (s.mask & (kSetUid | kSetGid)), mode_set = false;
  if (r && (s.mask & kSetMode)) mode_set = (r = change_mode(fd, s.to.mode)).ok();
  if (r && (s.mask & kSetSize)) r = set_size(ctx, n, h, fd, s.to.size);
  if (r) r = set_times(fd, s);
  if (r && s.kill_suidgid && !(s.mask & kSetMode) && n.type == S_IFREG) {
    r = kill_suidgid(ctx, fd);
    // chown and truncate have dropped file capabilities already.
    if (r && !(s.mask & (kSetUid | kSetGid | kSetSize))) ::removexattr(ProcPath(fd).c_str(), "security.capability");
  }
  if (r || !before) return r;
  // All or nothing, as far as it goes: a size cannot be taken back, but nothing fails after it that is not an I/O
  // error.
  if (owner_set) (void)!::fchownat(fd, "", before->stx_uid, before->stx_gid, AT_EMPTY_PATH);
  if (owner_set || mode_set) (void)change_mode(fd, before->stx_mode);
  return r;
}

Result<Attributes> PassFs::setattr(const Context& ctx, const op::Setattr& a) {
  if (auto s = writable(); !s) return s.error();
  auto n = nodes_.get(a.node, Op::Setattr);
  if (!n) return n.error();
  auto fd = any_fd(a.node, a.handle, Op::Setattr);
  if (!fd) return fd.error();
  if (auto s = set_all(ctx, **n, a.handle, (*fd)->get(), a.set); !s) return s.error();
  auto st = stat_at((*fd)->get(), "");
  if (!st) return st.error();
  return attributes(**n, *st);
}

Status PassFs::access(const Context& ctx, const op::Access& a) {
  auto n = nodes_.get(a.node, Op::Access);
  if (!n) return n.error();
  if (options_.read_only && (a.mask & W_OK) &&
      ((*n)->type == S_IFREG || (*n)->type == S_IFDIR || (*n)->type == S_IFLNK))
    return err(EROFS);
  auto fd = nodes_.path(**n);
  if (!fd) return fd.error();
  Context asked = ctx;
  asked.access_checked = false;  // whoever asks this wants to hear it from us
  AsCaller as(*ids_, asked, AsCaller::Why::check);
  if (!as) return as.error();
  return check(static_cast<int>(::syscall(SYS_faccessat2, (*fd)->get(), "", a.mask, AT_EMPTY_PATH | AT_EACCESS)));
}

Result<StatFs> PassFs::statfs(const Context&, const op::Statfs& a) {
  auto fd = any_fd(a.node, HandleId::none, Op::Statfs);
  if (!fd) return fd.error();
  struct ::statvfs s {};
  if (no_eintr([&] { return ::fstatvfs((*fd)->get(), &s); }) < 0) return last_errno();
  StatFs r;
  r.blocks = s.f_blocks;
  r.blocks_free = s.f_bfree;
  r.blocks_available = s.f_bavail;
  r.files = s.f_files;
  r.files_free = s.f_ffree;
  r.block_size = static_cast<uint32_t>(s.f_bsize);
  r.fragment_size = static_cast<uint32_t>(s.f_frsize);
  r.name_max = static_cast<uint32_t>(s.f_namemax);
  return r;
}

}  // namespace isthmus::fs::pass
