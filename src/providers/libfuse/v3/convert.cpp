#include "providers/libfuse/v3/convert.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmath>

namespace isthmus::libfuse {
namespace {

struct Bit {
  uint32_t ours;
  int theirs;
};
// "Now" comes with the bit of the time itself.
constexpr Bit kSetBits[] = {{kSetMode, FUSE_SET_ATTR_MODE},
                            {kSetUid, FUSE_SET_ATTR_UID},
                            {kSetGid, FUSE_SET_ATTR_GID},
                            {kSetSize, FUSE_SET_ATTR_SIZE},
                            {kSetAtime, FUSE_SET_ATTR_ATIME},
                            {kSetMtime, FUSE_SET_ATTR_MTIME},
                            {kSetCtime, FUSE_SET_ATTR_CTIME},
                            {kSetAtimeNow, FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW},
                            {kSetMtimeNow, FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW}};

/// MS-FSCC section 2.6: read-only, hidden, system, archive.
constexpr std::pair<uint32_t, uint32_t> kDosBits[] = {
    {UF_READONLY, 0x1}, {UF_HIDDEN, 0x2}, {UF_SYSTEM, 0x4}, {UF_ARCHIVE, 0x20}};

}  // namespace

Ttl to_ttl(double seconds) {
  if (!(seconds > 0)) return 0;
  double ms = std::ceil(seconds * 1000 - 1e-6);  // 0.1 s is 100, not 101
  return ms >= kForever ? kForever : static_cast<Ttl>(ms);
}

Attr to_attr(const struct stat& st) {
  Attr a;
  a.ino = st.st_ino;
  a.size = static_cast<uint64_t>(st.st_size);
  a.blocks = static_cast<uint64_t>(st.st_blocks);
  a.rdev = st.st_rdev;
  a.atime = to_time(st.st_atim);
  a.mtime = to_time(st.st_mtim);
  a.ctime = to_time(st.st_ctim);
  a.mode = st.st_mode;
  a.nlink = static_cast<uint32_t>(st.st_nlink);
  a.uid = st.st_uid;
  a.gid = st.st_gid;
  a.block_size = static_cast<uint32_t>(st.st_blksize);
  return a;
}

Attr to_attr(const fuse_stat_ex& st) {
  Attr a = to_attr(st.st);
  a.btime = to_time(st.st_birthtim);
  a.has_btime = a.btime != Time{};
  return a;
}

uint32_t to_dos_attributes(uint32_t flags) {
  uint32_t bits = 0;
  for (auto [flag, bit] : kDosBits)
    if (flags & flag) bits |= bit;
  return bits;
}

uint32_t to_flags(uint32_t dos_attributes, uint32_t before) {
  for (auto [flag, bit] : kDosBits) before = dos_attributes & bit ? before | flag : before & ~flag;
  return before;
}

struct stat to_stat(const Attr& a) {
  struct stat st {};
  st.st_ino = a.ino;
  st.st_size = static_cast<off_t>(a.size);
  st.st_blocks = static_cast<blkcnt_t>(a.blocks);
  st.st_rdev = a.rdev;
  st.st_atim = to_timespec(a.atime);
  st.st_mtim = to_timespec(a.mtime);
  st.st_ctim = to_timespec(a.ctime);
  st.st_mode = a.mode;
  st.st_nlink = a.nlink;
  st.st_uid = a.uid;
  st.st_gid = a.gid;
  st.st_blksize = static_cast<blksize_t>(a.block_size);
  return st;
}

Entry to_entry(const fuse_entry_param& e) {
  Entry to;
  to.node = NodeId{e.ino};
  to.generation = e.generation;
  to.entry_ttl = to_ttl(e.entry_timeout);
  if (e.ino == 0) return to;
  to.attr_ttl = to_ttl(e.attr_timeout);
  to.attr = to_attr(e.attr);
  return to;
}

#if ISTHMUS_FUSE3_SO >= 4
Attr to_attr(const struct statx& sx) {
  auto time = [](const struct statx_timestamp& t) { return to_time({t.tv_sec, static_cast<long>(t.tv_nsec)}); };
  Attr a;
  a.ino = sx.stx_ino;
  a.size = sx.stx_size;
  a.blocks = sx.stx_blocks;
  a.rdev = makedev(sx.stx_rdev_major, sx.stx_rdev_minor);
  a.atime = time(sx.stx_atime);
  a.mtime = time(sx.stx_mtime);
  a.ctime = time(sx.stx_ctime);
  a.has_btime = sx.stx_mask & STATX_BTIME;
  if (a.has_btime) a.btime = time(sx.stx_btime);
  a.mode = sx.stx_mode;
  a.nlink = sx.stx_nlink;
  a.uid = sx.stx_uid;
  a.gid = sx.stx_gid;
  a.block_size = sx.stx_blksize;
  a.flags = static_cast<uint32_t>(sx.stx_attributes);
  return a;
}
#endif

Attributes to_attributes(const struct stat& st, double timeout) { return {to_attr(st), to_ttl(timeout)}; }

fuse_file_info info_of(HandleId h, uint32_t flags, uint64_t owner) {
  fuse_file_info fi{};
  fi.fh = raw(h);
  fi.flags = static_cast<int>(flags);
  fi.lock_owner = owner;
  return fi;
}

Opened to_opened(const fuse_file_info& fi) {
  Opened o;
  o.handle = HandleId{fi.fh};
  if (fi.direct_io) o.flags |= kOpenedDirectIo;
  if (fi.keep_cache) o.flags |= kOpenedKeepCache;
  if (fi.nonseekable) o.flags |= kOpenedNonSeekable;
  if (fi.cache_readdir) o.flags |= kOpenedCacheDir;
  if (fi.noflush) o.flags |= kOpenedNoFlush;
#if ISTHMUS_FUSE3_SO >= 4
  if (fi.parallel_direct_writes) o.flags |= kOpenedParallelWrites;
  o.backing_id = fi.backing_id;
#endif
  return o;
}

int to_set(uint32_t mask) {
  int bits = 0;
  for (auto& b : kSetBits)
    if (mask & b.ours) bits |= b.theirs;
  return bits;
}

StatFs to_statfs(const struct statvfs& s) {
  StatFs to;
  to.blocks = s.f_blocks;
  to.blocks_free = s.f_bfree;
  to.blocks_available = s.f_bavail;
  to.files = s.f_files;
  to.files_free = s.f_ffree;
  to.block_size = static_cast<uint32_t>(s.f_bsize);
  to.fragment_size = static_cast<uint32_t>(s.f_frsize);
  to.name_max = static_cast<uint32_t>(s.f_namemax);
  return to;
}

Lock to_lock(const struct flock& l, uint64_t owner) {
  Lock to;
  to.owner = owner;
  to.start = static_cast<uint64_t>(l.l_start);
  to.end = l.l_len == 0 ? kLockEof : static_cast<uint64_t>(l.l_start + l.l_len - 1);
  to.type = l.l_type == F_UNLCK ? LockType::unlock : l.l_type == F_RDLCK ? LockType::shared : LockType::exclusive;
  to.pid = static_cast<uint32_t>(l.l_pid);
  return to;
}

struct flock to_flock(const Lock& l) {
  struct flock to {};
  to.l_type = l.type == LockType::unlock ? F_UNLCK : l.type == LockType::shared ? F_RDLCK : F_WRLCK;
  to.l_whence = SEEK_SET;
  to.l_start = static_cast<off_t>(l.start);
  to.l_len = l.end == kLockEof ? 0 : static_cast<off_t>(l.end - l.start + 1);
  to.l_pid = static_cast<pid_t>(l.pid);
  return to;
}

int to_flock_operation(const Lock& l, bool wait) {
  int how = l.type == LockType::unlock ? LOCK_UN : l.type == LockType::shared ? LOCK_SH : LOCK_EX;
  return wait ? how : how | LOCK_NB;
}

unsigned to_ioctl_flags(const op::Ioctl& a) {
  return (a.compat32 ? FUSE_IOCTL_COMPAT : 0u) | (a.unrestricted ? FUSE_IOCTL_UNRESTRICTED : 0u) |
         (a.directory ? FUSE_IOCTL_DIR : 0u);
}

}  // namespace isthmus::libfuse
