#include "doors/userfs/convert.h"

#include <algorithm>

namespace isthmus::userfs {
namespace {

packets::Stamp stamp(Time t) { return {t.sec, t.nsec}; }
Time time(packets::Stamp s) { return {s.sec, std::min(s.nsec, 999'999'999u)}; }

// The wire has the waist's numbers.
static_assert(kOpenedKeepCache == 1 && kOpenedDirectIo == 2 && kOpenedNonSeekable == 4 && kOpenedStream == 8 &&
              kOpenedCacheDir == 16 && kOpenedNoFlush == 32 && kOpenedParallelWrites == 64);
static_assert(kSetMode == 1 && kSetUid == 2 && kSetGid == 4 && kSetSize == 8 && kSetAtime == 16 && kSetMtime == 32 &&
              kSetAtimeNow == 64 && kSetMtimeNow == 128 && kSetCtime == 256 && kSetBtime == 512 && kSetFlags == 1024);
static_assert(kForever == packets::kForever);

}  // namespace

packets::Attr to_wire(const Attr& a) {
  packets::Attr w;
  w.ino = a.ino;
  w.mode = a.mode;
  w.nlink = a.nlink;
  w.uid = a.uid;
  w.gid = a.gid;
  w.rdev = a.rdev;
  w.size = a.size;
  w.blocks = a.blocks;
  w.block_size = a.block_size;
  w.atime = stamp(a.atime);
  w.mtime = stamp(a.mtime);
  w.ctime = stamp(a.ctime);
  w.btime = stamp(a.btime);
  w.flags = a.flags;
  w.has = a.has_btime ? 1 : 0;
  return w;
}

packets::AttrReply to_wire(const Attributes& a) { return {to_wire(a.attr), a.ttl}; }

packets::Entry to_wire(const Entry& e) {
  packets::Entry w;
  w.generation = e.generation;
  w.attr = to_wire(e.attr);
  w.name_ms = e.entry_ttl;
  w.attr_ms = e.attr_ttl;
  return w;
}

packets::StatfsReply to_wire(const StatFs& s) {
  packets::StatfsReply w;
  w.block_size = s.block_size;
  w.fragment_size = s.fragment_size;
  w.name_max = s.name_max;
  w.volume_flags = s.volume_flags;
  w.blocks = s.blocks;
  w.blocks_free = s.blocks_free;
  w.blocks_available = s.blocks_available;
  w.files = s.files;
  w.files_free = s.files_free;
  w.volume_name = s.volume_name;
  return w;
}

packets::Lock to_wire(const Lock& l) { return {l.owner, l.start, l.end, static_cast<uint32_t>(l.type), l.pid}; }

uint32_t opened_to_wire(uint32_t flags) { return flags & 127; }

SetAttr from_wire(const packets::NotifyChangeRequest& r) {
  SetAttr s;
  s.mask = r.mask & 2047;
  s.kill_suidgid = (r.how & 1) != 0;
  s.to.mode = r.mode;
  s.to.uid = r.uid;
  s.to.gid = r.gid;
  s.to.flags = r.flags;
  s.to.size = r.size;
  s.to.atime = time(r.atime);
  s.to.mtime = time(r.mtime);
  s.to.ctime = time(r.ctime);
  s.to.btime = time(r.btime);
  return s;
}

Result<Lock> from_wire(const packets::Lock& w) {
  if (w.type > 2) return err(EINVAL);
  if (w.type != 0 && (w.end < w.start || w.end > kLockEof)) return err(EINVAL);
  return Lock{w.owner, w.start, w.end, static_cast<LockType>(w.type), w.pid};
}

}  // namespace isthmus::userfs
