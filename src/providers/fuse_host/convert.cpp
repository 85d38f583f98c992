#include "providers/fuse_host/convert.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "wire/fuse/device_number.h"
#include "wire/fuse/flags.h"

#include "vfs/file_type.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

Time to_time(uint64_t sec, uint32_t nsec) { return {static_cast<int64_t>(sec), std::min(nsec, 999'999'999u)}; }

}  // namespace

Result<isthmus::Attr> from_wire(const wire::fuse::Attr& w) {
  if (!is_file_type(w.mode) || w.size > INT64_MAX) return err(EIO);
  isthmus::Attr a;
  a.ino = w.ino;
  a.size = w.size;
  a.blocks = w.blocks;
  a.rdev = from_wire_rdev(w.rdev);
  a.atime = to_time(w.atime, w.atimensec);
  a.mtime = to_time(w.mtime, w.mtimensec);
  a.ctime = to_time(w.ctime, w.ctimensec);
  a.mode = w.mode;
  a.nlink = w.nlink;
  a.uid = w.uid;
  a.gid = w.gid;
  if (w.blksize != 0) a.block_size = w.blksize;
  return a;
}

Result<isthmus::Attr> from_wire(const Statx& x) {
  wire::fuse::Attr w{};
  w.ino = x.ino;
  w.size = x.size;
  w.blocks = x.blocks;
  w.mode = x.mode;
  auto a = from_wire(w);
  if (!a) return a;
  auto time = [](const SxTime& t) { return Time{t.tv_sec, std::min(t.tv_nsec, 999'999'999u)}; };
  a->rdev = makedev(x.rdev_major, x.rdev_minor);
  a->atime = time(x.atime);
  a->mtime = time(x.mtime);
  a->ctime = time(x.ctime);
  a->nlink = x.nlink;
  a->uid = x.uid;
  a->gid = x.gid;
  if (x.blksize != 0) a->block_size = x.blksize;
  a->flags = static_cast<uint32_t>(x.attributes & x.attributes_mask);
  a->has_btime = (x.mask & STATX_BTIME) != 0;
  if (a->has_btime) a->btime = time(x.btime);
  return a;
}

Ttl to_ttl(uint64_t sec, uint32_t nsec) {
  if (sec >= kForever / 1000) return kForever;
  return static_cast<Ttl>(sec * 1000 + std::min(nsec, 999'999'999u) / 1'000'000);
}

Result<Entry> from_wire(const EntryOut& w) {
  if (w.nodeid == 0) return err(EIO);
  auto attr = from_wire(w.attr);
  if (!attr) return attr.error();
  Entry e;
  e.node = NodeId{w.nodeid};
  e.generation = w.generation;
  e.attr = *attr;
  e.entry_ttl = to_ttl(w.entry_valid, w.entry_valid_nsec);
  e.attr_ttl = to_ttl(w.attr_valid, w.attr_valid_nsec);
  return e;
}

Opened from_wire(const OpenOut& w, bool directory) {
  Opened o;
  o.handle = HandleId{w.fh};
  if (w.open_flags & kFopenKeepCache) o.flags |= kOpenedKeepCache;
  if (w.open_flags & kFopenNonseekable) o.flags |= kOpenedNonSeekable;
  if (w.open_flags & kFopenStream) o.flags |= kOpenedStream;
  if (directory) {
    if (w.open_flags & kFopenCacheDir) o.flags |= kOpenedCacheDir;
    return o;
  }
  if (w.open_flags & kFopenDirectIo) o.flags |= kOpenedDirectIo;
  if (w.open_flags & kFopenNoflush) o.flags |= kOpenedNoFlush;
  if (w.open_flags & kFopenParallelDirectWrites) o.flags |= kOpenedParallelWrites;
  return o;
}

StatFs from_wire(const StatfsOut& w) {
  StatFs s;
  s.blocks = w.st.blocks;
  s.blocks_free = w.st.bfree;
  s.blocks_available = w.st.bavail;
  s.files = w.st.files;
  s.files_free = w.st.ffree;
  s.block_size = w.st.bsize;
  s.fragment_size = w.st.frsize != 0 ? w.st.frsize : w.st.bsize;
  s.name_max = w.st.namelen;
  return s;
}

SetattrIn to_wire(const SetAttr& s) {
  constexpr std::pair<uint32_t, uint32_t> kBits[] = {
      {kSetMode, kFattrMode},   {kSetUid, kFattrUid},           {kSetGid, kFattrGid},
      {kSetSize, kFattrSize},   {kSetAtime, kFattrAtime},       {kSetMtime, kFattrMtime},
      {kSetCtime, kFattrCtime}, {kSetAtimeNow, kFattrAtimeNow}, {kSetMtimeNow, kFattrMtimeNow}};
  SetattrIn w{};
  for (auto [ours, theirs] : kBits)
    if (s.mask & ours) w.valid |= theirs;
  // "Now" comes with the field that it is about.
  if (s.mask & kSetAtimeNow) w.valid |= kFattrAtime;
  if (s.mask & kSetMtimeNow) w.valid |= kFattrMtime;
  w.size = s.to.size;
  w.atime = static_cast<uint64_t>(s.to.atime.sec);
  w.mtime = static_cast<uint64_t>(s.to.mtime.sec);
  w.ctime = static_cast<uint64_t>(s.to.ctime.sec);
  w.atimensec = s.to.atime.nsec;
  w.mtimensec = s.to.mtime.nsec;
  w.ctimensec = s.to.ctime.nsec;
  w.mode = s.to.mode;
  w.uid = s.to.uid;
  w.gid = s.to.gid;
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

Result<Lock> from_wire(const FileLock& w) {
  Lock l;
  l.start = w.start;
  l.end = w.end;
  l.pid = w.pid;
  l.type = w.type == F_RDLCK ? LockType::shared : w.type == F_WRLCK ? LockType::exclusive : LockType::unlock;
  if (l.type != LockType::unlock && (l.end < l.start || l.end > kLockEof)) return err(EIO);
  return l;
}

}  // namespace isthmus::fuse_host
