#include "providers/userfs_host/convert.h"

#include <sys/stat.h>

#include <algorithm>

#include "vfs/file_type.h"

namespace isthmus::userfs_host {
namespace {

Time time(packets::Stamp s) { return {s.sec, std::min(s.nsec, 999'999'999u)}; }
packets::Stamp stamp(Time t) { return {t.sec, t.nsec}; }

}  // namespace

Result<Attr> from_wire(const packets::Attr& w) {
  if (!is_file_type(w.mode) || w.size > INT64_MAX) return err(EIO);
  Attr a;
  a.ino = w.ino;
  a.mode = w.mode & (S_IFMT | 07777);
  a.nlink = w.nlink;
  a.uid = w.uid;
  a.gid = w.gid;
  a.rdev = w.rdev;
  a.size = w.size;
  a.blocks = w.blocks;
  if (w.block_size != 0) a.block_size = w.block_size;
  a.atime = time(w.atime);
  a.mtime = time(w.mtime);
  a.ctime = time(w.ctime);
  a.btime = time(w.btime);
  a.flags = w.flags;
  a.has_btime = (w.has & 1) != 0;
  return a;
}

Result<Attributes> from_wire(const packets::AttrReply& w) {
  const auto attr = from_wire(w.attr);
  if (!attr) return attr.error();
  return Attributes{*attr, w.attr_ms};
}

StatFs from_wire(const packets::StatfsReply& w) {
  StatFs s;
  s.block_size = w.block_size != 0 ? w.block_size : 4096;
  s.fragment_size = w.fragment_size != 0 ? w.fragment_size : s.block_size;
  s.name_max = std::min<uint32_t>(w.name_max, wire::userfs::kMostName);
  s.volume_flags = w.volume_flags;
  s.blocks = w.blocks;
  s.blocks_free = w.blocks_free;
  s.blocks_available = w.blocks_available;
  s.files = w.files;
  s.files_free = w.files_free;
  s.volume_name = std::string(w.volume_name.substr(0, wire::userfs::kMostName));
  return s;
}

Result<Lock> from_wire(const packets::Lock& w) {
  if (w.type > 2) return err(EIO);
  if (w.type != 0 && (w.end < w.start || w.end > kLockEof)) return err(EIO);
  return Lock{w.owner, w.start, w.end, static_cast<LockType>(w.type), w.pid};
}

packets::Lock to_wire(const Lock& l) { return {l.owner, l.start, l.end, static_cast<uint32_t>(l.type), l.pid}; }

packets::NotifyChangeRequest to_wire(const SetAttr& s) {
  packets::NotifyChangeRequest w;
  w.mask = s.mask;  // the waist's numbers
  w.how = s.kill_suidgid ? 1 : 0;
  w.mode = s.to.mode;
  w.uid = s.to.uid;
  w.gid = s.to.gid;
  w.flags = s.to.flags;
  w.size = s.to.size;
  w.atime = stamp(s.to.atime);
  w.mtime = stamp(s.to.mtime);
  w.ctime = stamp(s.to.ctime);
  w.btime = stamp(s.to.btime);
  return w;
}

}  // namespace isthmus::userfs_host
