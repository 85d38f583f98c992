#include "doors/fuse/convert.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "wire/fuse/device_number.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

// 68 years: no overflow in any kernel's arithmetic.
constexpr uint64_t kForeverSeconds = INT32_MAX;

SxTime to_sx(Time t) { return {t.sec, t.nsec, 0}; }

}  // namespace

Valid to_valid(Ttl ttl) {
  if (ttl == kForever) return {kForeverSeconds, 0};
  return {ttl / 1000, ttl % 1000 * 1'000'000};
}

wire::fuse::Attr to_wire(const isthmus::Attr& a, NodeId node) {
  wire::fuse::Attr w{};
  w.ino = a.ino ? a.ino : raw(node);
  w.size = a.size;
  w.blocks = a.blocks;
  w.atime = static_cast<uint64_t>(a.atime.sec);
  w.mtime = static_cast<uint64_t>(a.mtime.sec);
  w.ctime = static_cast<uint64_t>(a.ctime.sec);
  w.atimensec = a.atime.nsec;
  w.mtimensec = a.mtime.nsec;
  w.ctimensec = a.ctime.nsec;
  w.mode = a.mode;
  w.nlink = a.nlink;
  w.uid = a.uid;
  w.gid = a.gid;
  w.rdev = to_wire_rdev(a.rdev);
  w.blksize = a.block_size;
  return w;
}

EntryOut to_wire(const Entry& e, const Policy& policy) {
  EntryOut w{};
  auto entry_ttl = e.node == NodeId::none ? policy.negative_ttl : policy.entry_ttl;
  Valid name = to_valid(entry_ttl.value_or(e.entry_ttl));
  w.entry_valid = name.sec;
  w.entry_valid_nsec = name.nsec;
  if (e.node == NodeId::none) return w;
  Valid attr = to_valid(policy.attr_ttl.value_or(e.attr_ttl));
  w.nodeid = raw(e.node);
  w.generation = e.node == NodeId::root ? 0 : e.generation;  // NFS asks for ".." up to the root, whose inode has none
  w.attr_valid = attr.sec;
  w.attr_valid_nsec = attr.nsec;
  w.attr = to_wire(e.attr, e.node);
  return w;
}

AttrOut to_wire(const Attributes& a, NodeId node, const Policy& policy) {
  Valid v = to_valid(policy.attr_ttl.value_or(a.ttl));
  return {v.sec, v.nsec, 0, to_wire(a.attr, node)};
}

StatxOut to_statx(const Attributes& a, NodeId node, const Policy& policy) {
  Valid v = to_valid(policy.attr_ttl.value_or(a.ttl));
  const isthmus::Attr& from = a.attr;
  StatxOut w{};
  w.attr_valid = v.sec;
  w.attr_valid_nsec = v.nsec;
  w.stat.mask = STATX_BASIC_STATS | (from.has_btime ? STATX_BTIME : 0u);
  w.stat.blksize = from.block_size;
  w.stat.attributes = from.flags;
  w.stat.attributes_mask = from.flags;
  w.stat.nlink = from.nlink;
  w.stat.uid = from.uid;
  w.stat.gid = from.gid;
  w.stat.mode = static_cast<uint16_t>(from.mode);
  w.stat.ino = from.ino ? from.ino : raw(node);
  w.stat.size = from.size;
  w.stat.blocks = from.blocks;
  w.stat.atime = to_sx(from.atime);
  w.stat.mtime = to_sx(from.mtime);
  w.stat.ctime = to_sx(from.ctime);
  if (from.has_btime) w.stat.btime = to_sx(from.btime);
  w.stat.rdev_major = major(from.rdev);
  w.stat.rdev_minor = minor(from.rdev);
  return w;
}

OpenOut to_wire(const Opened& o, bool directory, const Policy& policy) {
  OpenOut w{};
  w.fh = raw(o.handle);
  if (o.flags & kOpenedKeepCache) w.open_flags |= kFopenKeepCache;
  if (o.flags & kOpenedNonSeekable) w.open_flags |= kFopenNonseekable;
  if (o.flags & kOpenedStream) w.open_flags |= kFopenStream;
  if (directory) {
    if (o.flags & kOpenedCacheDir) w.open_flags |= kFopenCacheDir;
    return w;
  }
  if (o.flags & kOpenedDirectIo) w.open_flags |= kFopenDirectIo;
  if (o.flags & kOpenedNoFlush) w.open_flags |= kFopenNoflush;
  if (o.flags & kOpenedParallelWrites) w.open_flags |= kFopenParallelDirectWrites;
  if (policy.direct_io) w.open_flags |= kFopenDirectIo;
  if (policy.keep_cache && !(w.open_flags & kFopenDirectIo)) w.open_flags |= kFopenKeepCache;
  return w;
}

StatfsOut to_wire(const StatFs& s) {
  StatfsOut w{};
  w.st.blocks = s.blocks;
  w.st.bfree = s.blocks_free;
  w.st.bavail = s.blocks_available;
  w.st.files = s.files;
  w.st.ffree = s.files_free;
  w.st.bsize = s.block_size;
  w.st.frsize = s.fragment_size;
  w.st.namelen = s.name_max;
  return w;
}

FileLock to_wire(const Lock& l) {
  FileLock w{};
  w.start = l.start;
  w.end = l.end;
  w.type = l.type == LockType::unlock ? F_UNLCK : l.type == LockType::shared ? F_RDLCK : F_WRLCK;
  w.pid = l.pid;
  return w;
}

Result<Lock> from_wire(const LkIn& in) {
  Lock l;
  l.owner = in.owner;
  l.start = in.lk.start;
  l.end = in.lk.end;
  l.pid = in.lk.pid;
  if (in.lk.type == F_RDLCK)
    l.type = LockType::shared;
  else if (in.lk.type == F_WRLCK)
    l.type = LockType::exclusive;
  else if (in.lk.type == F_UNLCK)
    l.type = LockType::unlock;
  else
    return err(EINVAL);
  if (l.end < l.start || l.end > kLockEof) return err(EINVAL);
  return l;
}

SetAttr from_wire(const SetattrIn& in) {
  SetAttr s;
  uint32_t v = in.valid;
  auto take = [&](uint32_t bit, uint32_t mask) {
    if (!(v & bit)) return false;
    s.mask |= mask;
    return true;
  };
  if (take(kFattrMode, kSetMode)) s.to.mode = in.mode;
  if (take(kFattrUid, kSetUid)) s.to.uid = in.uid;
  if (take(kFattrGid, kSetGid)) s.to.gid = in.gid;
  if (take(kFattrSize, kSetSize)) s.to.size = in.size;
  // The kernel sends the time beside "now"; "now" is ours to choose.
  if (!take(kFattrAtimeNow, kSetAtimeNow) && take(kFattrAtime, kSetAtime))
    s.to.atime = {static_cast<int64_t>(in.atime), in.atimensec};
  if (!take(kFattrMtimeNow, kSetMtimeNow) && take(kFattrMtime, kSetMtime))
    s.to.mtime = {static_cast<int64_t>(in.mtime), in.mtimensec};
  if (take(kFattrCtime, kSetCtime)) s.to.ctime = {static_cast<int64_t>(in.ctime), in.ctimensec};
  s.kill_suidgid = v & kFattrKillSuidgid;
  return s;
}

}  // namespace isthmus::fuse
