/// Open files.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "doors/fuse/convert.h"
#include "doors/fuse/handlers.h"
#include "doors/fuse/session.h"
#include "vfs/then.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

/// Shorter ranges are read and written: a splice costs three system calls.
constexpr size_t kSpliceFrom = 128u << 10;

Context own_context() {
  Context c;
  c.door = DoorKind::fuse;
  return c;
}

void release_unseen(FileSystem& fs, NodeId node, const Opened& o, uint32_t flags) {
  op::Release a;
  a.node = node;
  a.handle = o.handle;
  a.flags = flags;
  call_then(fs, own_context(), a, [](Status) {});
}

/// What the provider sees of the flags of open(2). Under write-back the kernel reads pages that are written in part,
/// and appends by itself from a size that only it knows.
uint32_t open_flags(uint32_t flags, const Policy& policy) {
  flags &= ~static_cast<uint32_t>(O_NOCTTY);
  if (!policy.writeback()) return flags;
  if ((flags & O_ACCMODE) == O_WRONLY) flags = (flags & ~uint32_t{O_ACCMODE}) | O_RDWR;
  return flags & ~uint32_t{O_APPEND};
}

void answer_open(Exchange& x, const op::Open& a, Result<Opened>&& r) {
  if (!r) return x.error(r.error());
  Backing& backing = x.session().backing();
  OpenOut out = to_wire(*r, false, x.session().policy());
  auto taken = backing.opened(a.node, *r, a.flags, out);
  if (taken && x.reply(out)) return;
  if (taken)
    backing.closed(a.node);
  else
    x.error(taken.error());
  release_unseen(x.fs(), a.node, *r, a.flags);
}

template <class T>
void answer_created(Exchange& x, const T& a, Result<Created>&& r) {
  if (!r) return x.error(r.error());
  const Policy& policy = x.session().policy();
  // A kernel that sends no OPEN sends no RELEASE either, not even for TMPFILE's handle: the node alone serves.
  if (policy.stateless_open && r->opened.handle != HandleId::none) {
    release_unseen(x.fs(), r->entry.node, r->opened, a.flags);
    r->opened = {};
  }
  struct {
    EntryOut entry;
    OpenOut open;
  } out{to_wire(r->entry, policy), to_wire(r->opened, false, policy)};
  Backing& backing = x.session().backing();
  auto taken = backing.opened(r->entry.node, r->opened, a.flags, out.open);
  if (taken && x.reply(out)) return;
  if (taken)
    backing.closed(r->entry.node);
  else
    x.error(taken.error());
  if (!policy.stateless_open) release_unseen(x.fs(), r->entry.node, r->opened, a.flags);
  forget(x.fs(), own_context(), r->entry.node);
}

void answer_read(Exchange& x, const op::Read& a, Result<Buffer>&& r) {
  if (!r) return x.error(r.error());
  bool one_piece = false;
  Bytes bytes = r->contiguous_bytes(one_piece, a.into);
  if (one_piece) return void(x.reply_bytes(bytes));
  auto all = r->segments();
  if (all.size() == 1) {
    auto& range = std::get<Buffer::FileRange>(all[0]);
    if (range.length >= kSpliceFrom) {
      if (x.reply_file(range)) return;
    }
    auto n = r->copy_to(a.into);
    if (!n) return x.error(n.error());
    return void(x.reply_bytes(a.into.first(*n)));
  }
  // Several pieces, some of which may lie in `into` already.
  std::vector<std::byte> whole;
  try {
    whole.resize(r->size());
  } catch (const std::bad_alloc&) {
    return x.error(err(ENOMEM));
  }
  auto n = r->copy_to(whole, a.into);
  if (!n) return x.error(n.error());
  x.reply_bytes(Bytes(whole).first(*n));
}

void answer_write(Exchange& x, const op::Write&, Result<size_t>&& r) {
  if (!r) return x.error(r.error());
  x.reply(WriteOut{static_cast<uint32_t>(*r), 0});
}

void answer_lseek(Exchange& x, const op::SeekHole&, Result<uint64_t>&& r) {
  if (!r) return x.error(r.error());
  x.reply(LseekOut{*r});
}

void answer_copy(Exchange& x, const op::CopyRange&, Result<uint64_t>&& r) {
  if (!r) return x.error(r.error());
  x.reply(WriteOut{static_cast<uint32_t>(*r), 0});
}

void answer_copy_64(Exchange& x, const op::CopyRange&, Result<uint64_t>&& r) {
  if (!r) return x.error(r.error());
  x.reply(CopyFileRangeOut{*r});
}

op::CopyRange copy_args(Exchange& x, uint64_t most) {
  const auto& in = x.in().as<CopyFileRangeIn>();
  op::CopyRange a;
  a.from = x.node();
  a.from_handle = HandleId{in.fh_in};
  a.from_offset = in.off_in;
  a.to = NodeId{in.nodeid_out};
  a.to_handle = HandleId{in.fh_out};
  a.to_offset = in.off_out;
  a.length = std::min(in.len, most);
  a.flags = static_cast<uint32_t>(in.flags);
  return a;
}

bool beyond_any_file(uint64_t offset, uint64_t length) { return offset > INT64_MAX || length > INT64_MAX - offset; }

}  // namespace

void do_open(Exchange& x) {
  const auto& in = x.in().in<Opcode::Open>();
  const Policy& policy = x.session().policy();
  // O_TRUNC has been a SETATTR of its own unless agreed otherwise.
  auto done = static_cast<uint32_t>(O_CREAT | O_EXCL | (policy.has(kInitAtomicOTrunc) ? 0 : O_TRUNC));
  op::Open a;
  a.node = x.node();
  a.flags = open_flags(in.flags & ~done, policy);
  a.kill_suidgid = in.open_flags & kOpenKillSuidgid;
  x.submit<op::Open, answer_open>(a);
}

void do_create(Exchange& x) {
  const auto& in = x.in().in<Opcode::Create>();
  op::Create a;
  a.dir = x.node();
  a.name = x.in().name;
  a.mode = in.mode;
  a.flags = open_flags(in.flags, x.session().policy());
  a.kill_suidgid = in.open_flags & kOpenKillSuidgid;
  a.labels = x.labels();
  x.submit<op::Create, answer_created<op::Create>>(a);
}

void do_tmpfile(Exchange& x) {
  const auto& in = x.in().in<Opcode::Tmpfile>();
  op::Tmpfile a;
  a.dir = x.node();
  a.mode = in.mode;
  a.flags = open_flags(in.flags, x.session().policy());
  a.labels = x.labels();
  x.submit<op::Tmpfile, answer_created<op::Tmpfile>>(a);
}

void do_read(Exchange& x) {
  const auto& in = x.in().in<Opcode::Read>();
  MutableBytes room = x.data();
  if (in.size > room.size() || beyond_any_file(in.offset, 0)) {
    log(LogLevel::error, "READ of {} bytes at {}: more than was agreed on", in.size, in.offset);
    return x.refuse(err(EINVAL));
  }
  op::Read a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.offset = in.offset;
  a.size = in.size;
  a.into = room.first(in.size);
  a.flags = in.flags;
  if (in.read_flags & kReadLockowner) a.lock_owner = in.lock_owner;
  x.submit<op::Read, answer_read>(a);
}

void do_write(Exchange& x) {
  const auto& in = x.in().in<Opcode::Write>();
  if (beyond_any_file(in.offset, in.size)) return x.refuse(err(EFBIG));
  x.write_data = Buffer::view(x.in().data);
  op::Write a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.offset = in.offset;
  a.data = &x.write_data;
  a.from_cache = in.write_flags & kWriteCache;
  // The kernel's page cache has chosen the offset already where it writes back later.
  a.append = (in.flags & O_APPEND) && !a.from_cache && !x.session().policy().writeback();
  a.through = in.flags & (O_SYNC | O_DSYNC);
  a.flags = in.flags;
  a.kill_suidgid = in.write_flags & kWriteKillSuidgid;
  if (in.write_flags & kWriteLockowner) a.lock_owner = in.lock_owner;
  x.submit<op::Write, answer_write>(a);
}

void do_flush(Exchange& x) {
  const auto& in = x.in().in<Opcode::Flush>();
  op::Flush a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.lock_owner = in.lock_owner;
  x.submit<op::Flush, answer_unit<op::Flush>>(a);
}

void do_release(Exchange& x) {
  const auto& in = x.in().in<Opcode::Release>();
  op::Release a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.flags = in.flags;
  a.lock_owner = in.lock_owner;
  a.unlock_flock = in.release_flags & kReleaseFlockUnlock;
  x.session().notifier().disarm_polls(a.node, a.handle);
  x.session().backing().closed(a.node);
  x.submit<op::Release, answer_unit<op::Release>>(a);
}

void do_fsync(Exchange& x) {
  const auto& in = x.in().in<Opcode::Fsync>();
  op::Fsync a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.data_only = in.fsync_flags & kFsyncFdatasync;
  x.submit<op::Fsync, answer_unit<op::Fsync>>(a);
}

void do_fallocate(Exchange& x) {
  const auto& in = x.in().in<Opcode::Fallocate>();
  if (in.length == 0) return x.refuse(err(EINVAL));
  if (beyond_any_file(in.offset, in.length)) return x.refuse(err(EFBIG));
  op::Fallocate a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.mode = static_cast<int>(in.mode);
  a.offset = in.offset;
  a.length = in.length;
  x.submit<op::Fallocate, answer_unit<op::Fallocate>>(a);
}

void do_lseek(Exchange& x) {
  const auto& in = x.in().in<Opcode::Lseek>();
  if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE) return x.refuse(err(EINVAL));
  op::SeekHole a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.offset = in.offset;
  a.whence = static_cast<int>(in.whence);
  x.submit<op::SeekHole, answer_lseek>(a);
}

void do_copy_file_range(Exchange& x) {
  // The answer has 32 bits; a short copy is continued by the caller.
  constexpr uint64_t kMost = 0xfffff000;
  x.submit<op::CopyRange, answer_copy>(copy_args(x, kMost));
}

void do_copy_file_range_64(Exchange& x) { x.submit<op::CopyRange, answer_copy_64>(copy_args(x, INT64_MAX)); }

}  // namespace isthmus::fuse
