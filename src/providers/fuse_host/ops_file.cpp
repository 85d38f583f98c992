/// Open files.
#include <fcntl.h>
#include <sys/stat.h>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "vfs/then.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kNotForOpen = O_CREAT | O_EXCL | O_NOCTTY;
constexpr uint64_t kMostOffset = INT64_MAX;
constexpr uint32_t kLockownerMinor = 9;  // what ReadIn and WriteIn have behind their size

/// What a kernel opens by asking the file system.
Errno opens_otherwise(uint32_t type) {
  switch (type) {
    case S_IFREG:
      return {};
    case S_IFDIR:
      return err(EISDIR);
    case S_IFLNK:
      return err(ELOOP);
    default:
      return err(ENXIO);  // pipes, sockets and devices are the opener's own affair
  }
}

}  // namespace

void FuseHost::open(Call<op::Open> c) {
  const auto a = *c;
  auto n = nodes_.get(a.node, Op::Open);
  if (!n) return c.fail(n.error());
  if (const Errno e = opens_otherwise((*n)->type); e != Errno{}) return c.fail(e);
  if (options_.read_only && ((a.flags & O_ACCMODE) != O_RDONLY || (a.flags & O_TRUNC))) return c.fail(EROFS);
  OpenIn in{a.flags & ~kNotForOpen, 0};
  if (!has(kInitAtomicOTrunc)) in.flags &= ~uint32_t{O_TRUNC};
  if (a.kill_suidgid && (in.flags & O_TRUNC) && has(kInitHandleKillprivV2)) in.open_flags = kOpenKillSuidgid;
  ask(Opcode::Open, a.node, std::move(c), {bytes_of(in)}, exactly<OpenOut>(),
      [this](Call<op::Open> call, Result<Bytes> r) {
        if (!r && r.error() != err(ENOSYS)) return call.fail(r.error());
        Opened o;
        if (r) {
          auto out = take_as<OpenOut>(*r);
          if (cuse_) out.open_flags |= kFopenDirectIo;
          o = from_wire(out, false);
          o.handle = add_handle(out, call->flags);
        } else {
          drop(Op::Open);
          o.flags = kOpenedKeepCache;
        }
        if ((call->flags & O_TRUNC) && !(r && has(kInitAtomicOTrunc)) && !cuse_)
          return truncate_opened(std::move(call), o);
        call.reply(o);
      });
}

/// For a daemon that does not truncate by itself.
void FuseHost::truncate_opened(Call<op::Open> c, Opened o) {
  const NodeId node = c->node;
  SetattrIn in{};
  in.valid = kFattrSize;
  if (c->kill_suidgid && has(kInitHandleKillprivV2)) in.valid |= kFattrKillSuidgid;
  ask(Opcode::Setattr, node, std::move(c), {bytes_of(in)}, attr_size(),
      [this, o](Call<op::Open> call, Result<Bytes> r) {
        if (r)
          if (auto attr = take_attributes(call->node, take_as<AttrOut>(*r)); !attr) r = attr.error();
        if (r) return call.reply(o);
        auto handle = end_handle(o.handle);
        const Node* n = nodes_.find(call->node);
        if (handle && n) release_unused(n->id, {handle->fh, 0, 0}, handle->flags);
        call.fail(r.error());
      });
}

/// A read of any size: piece by piece.
class FuseHost::Reading {
 public:
  static void go_on(FuseHost& host, Call<op::Read> c, Handle handle, std::shared_ptr<std::string> room, size_t have) {
    const auto a = *c;
    bool probes = false;
    ReadIn in{};
    in.fh = handle.fh;
    in.offset = a.offset + have;
    in.size = static_cast<uint32_t>(host.read_at_once(a.size - have, probes));
    in.flags = a.flags != 0 ? a.flags : handle.flags;
    if (a.lock_owner != 0) {
      in.read_flags = kReadLockowner;
      in.lock_owner = a.lock_owner;
    }
    host.ask(Opcode::Read, a.node, std::move(c), {bytes_of(in)}, up_to(in.size),
             [&host, handle, room = std::move(room), have, asked = in.size, probes](Call<op::Read> call,
                                                                                    Result<Bytes> r) mutable {
               const size_t got = r ? r->size() : 0;
               if (probes) host.probed(got);
               // Its pieces were mixed with others'; it has to be asked for again, in parts that come whole.
               if (!r && r.error() == err(EIO) && asked > kWholeData && host.connection_.comes_in_pieces())
                 return go_on(host, std::move(call), handle, std::move(room), have);
               if (!r && have == 0) return call.fail(r.error());
               const bool into = call->into.size() >= call->size;
               if (into && got > 0) memcpy(call->into.data() + have, r->data(), got);
               if (!into && r) room->append(as_text(*r));
               if (got == asked && have + got < call->size)
                 return go_on(host, std::move(call), handle, std::move(room), have + got);
               call.reply(into ? Buffer::filled(have + got) : Buffer::own(std::move(*room)));
             });
  }
};

/// How much to ask for. A daemon that splices sends long answers in pieces, which can be put together when no other
/// comes at the same time: one long read tries how it is, alone (`probes`), before others follow.
size_t FuseHost::read_at_once(size_t wanted, bool& probes) {
  wanted = std::min(wanted, most_read_);
  if (wanted <= kWholeData) return wanted;
  if (connection_.comes_in_pieces()) return kWholeData;
  Whole known = long_answers_.load(std::memory_order_acquire);
  if (known == Whole::unknown)
    probes = long_answers_.compare_exchange_strong(known, Whole::probing, std::memory_order_acq_rel);
  return probes || known == Whole::yes ? wanted : kWholeData;
}

void FuseHost::probed(size_t got) {
  const Whole is = connection_.comes_in_pieces() ? Whole::no : got > kWholeData ? Whole::yes : Whole::unknown;
  long_answers_.store(is, std::memory_order_release);
}

void FuseHost::read(Call<op::Read> c) {
  auto handle = find_handle(c->handle, Opcode::Open, c->flags);
  if (!handle) return c.fail(handle.error());
  if (c->size == 0 || c->offset >= kMostOffset) return c.reply({});
  Reading::go_on(*this, std::move(c), *handle, std::make_shared<std::string>(), 0);
}

class FuseHost::Writing {
 public:
  Writing(FuseHost& h, Handle open, uint64_t at) : host(h), handle(open), offset(at) {}

  static void go_on(std::unique_ptr<Writing> self, Call<op::Write> c) {
    const auto a = *c;
    Writing& w = *self;
    const Bytes piece = w.all.subspan(w.done, std::min(w.all.size() - w.done, w.most()));
    WriteIn in{};
    in.fh = w.handle.fh;
    in.offset = w.offset + w.done;
    in.size = static_cast<uint32_t>(piece.size());
    in.flags = (a.flags != 0 ? a.flags : w.handle.flags) | (a.append ? uint32_t{O_APPEND} : 0) |
               (a.through ? uint32_t{O_SYNC} : 0);
    if (a.from_cache) in.write_flags |= kWriteCache;
    if (a.kill_suidgid && w.host.has(kInitHandleKillprivV2)) in.write_flags |= kWriteKillSuidgid;
    if (a.lock_owner != 0) {
      in.write_flags |= kWriteLockowner;
      in.lock_owner = a.lock_owner;
    }
    const size_t length = w.host.minor_ < kLockownerMinor ? offsetof(WriteIn, lock_owner) : sizeof in;
    w.host.ask(Opcode::Write, a.node, std::move(c), {bytes_of(in, length), piece}, exactly<WriteOut>(),
               [self = std::move(self), asked = in.size](Call<op::Write> call, Result<Bytes> r) mutable {
                 Writing& s = *self;
                 if (!r && s.done == 0) return call.fail(r.error());
                 const size_t taken = r ? take_as<WriteOut>(*r).size : 0;
                 if (taken > asked || (r && taken == 0 && s.done == 0)) return call.fail(EIO);
                 s.done += taken;
                 // A short write is the end of one that goes past all caches; else the rest is written, too.
                 const bool final = taken == 0 || (taken < asked && (s.handle.open_flags & kFopenDirectIo));
                 if (!final && s.done < s.all.size()) return go_on(std::move(self), std::move(call));
                 call.reply(s.done);
               });
  }
  /// A daemon that does not know of big writes gets pages, but past the page cache (fuse_fill_write_pages()).
  size_t most() const {
    return host.has(kInitBigWrites) || (handle.open_flags & kFopenDirectIo) ? host.most_write_ : 4096;
  }

  FuseHost& host;
  const Handle handle;
  const uint64_t offset;
  std::string room{};
  Bytes all{};  // in `room` or in the operation
  size_t done = 0;
};

void FuseHost::write_at(Call<op::Write> c, uint64_t offset) {
  auto handle = find_handle(c->handle, Opcode::Open, c->flags);
  if (!handle) return c.fail(handle.error());
  auto writing = std::make_unique<Writing>(*this, *handle, offset);
  auto all = c->data->in_one_piece(writing->room);
  if (!all) return c.fail(all.error());
  if (all->empty()) return c.reply(0);
  if (offset > kMostOffset || all->size() > kMostOffset - offset) return c.fail(EFBIG);
  writing->all = *all;
  Writing::go_on(std::move(writing), std::move(c));
}

void FuseHost::write(Call<op::Write> c) {
  const auto a = *c;
  // A daemon may go by the offset alone: it is the kernel that appends. The kernel's door has seen to that.
  if (!a.append || c.context().door == DoorKind::fuse || cuse_) return write_at(std::move(c), a.offset);
  const GetattrIn in{};
  ask(Opcode::Getattr, a.node, std::move(c), {bytes_of(in)}, attr_size(),
      [this](Call<op::Write> call, Result<Bytes> r) {
        if (!r) return call.fail(r.error());
        auto now = take_attributes(call->node, take_as<AttrOut>(*r));
        if (!now) return call.fail(now.error());
        write_at(std::move(call), now->attr.size);
      });
}

void FuseHost::copy_range(Call<op::CopyRange> c) {
  const bool wide = !lacks(Opcode::CopyFileRange64) && find_opcode(uint32_t(Opcode::CopyFileRange64))->since <= minor_;
  copy(wide ? Opcode::CopyFileRange64 : Opcode::CopyFileRange, std::move(c));
}

void FuseHost::copy(Opcode opcode, Call<op::CopyRange> c) {
  const auto a = *c;
  auto to = nodes_.get(a.to, Op::CopyRange);
  if (!to) return c.fail(to.error());
  auto from_handle = find_handle(a.from_handle, Opcode::Open), to_handle = find_handle(a.to_handle, Opcode::Open);
  if (!from_handle || !to_handle) return c.fail(EBADF);
  const bool wide = opcode == Opcode::CopyFileRange64;
  // The old one's answer has 32 bits.
  const uint64_t most = std::min(a.length, wide ? kMostOffset : uint64_t{UINT32_MAX} & ~uint64_t{4095});
  const CopyFileRangeIn in{from_handle->fh, a.from_offset, (*to)->id, to_handle->fh, a.to_offset, most, a.flags};
  ask(opcode, a.from, std::move(c), {bytes_of(in)}, wide ? exactly<CopyFileRangeOut>() : exactly<WriteOut>(),
      [this, most, wide](Call<op::CopyRange> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) {
          if (wide) return copy(Opcode::CopyFileRange, std::move(call));
          return drop_to_default(std::move(call));
        }
        // Not these files, it says: by reading and writing then.
        if (!r && (r.error() == err(EOPNOTSUPP) || r.error() == err(EXDEV)))
          return isthmus::detail::run_default(*this, std::move(call));
        if (!r) return call.fail(r.error());
        const uint64_t copied = wide ? take_as<CopyFileRangeOut>(*r).bytes_copied : take_as<WriteOut>(*r).size;
        if (copied > most) return call.fail(EIO);
        call.reply(copied);
      });
}

void FuseHost::flush(Call<op::Flush> c) {
  const auto a = *c;
  if (a.lock_owner != 0) locks_.release_owner(a.node, a.lock_owner);
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  if (handle->open_flags & kFopenNoflush) return c.reply({});
  const FlushIn in{handle->fh, 0, 0, a.lock_owner};
  ask_optional(Opcode::Flush, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::release(Call<op::Release> c) {
  const auto a = *c;
  if (a.lock_owner != 0) locks_.release_owner(a.node, a.lock_owner);
  if (a.lock_owner != 0 && a.unlock_flock) locks_.release_flock(a.node, a.lock_owner);
  if (a.handle != HandleId::none) locks_.release_handle(a.node, a.handle);
  auto handle = end_handle(a.handle);
  if (!handle) return c.fail(handle.error());
  const Node* n = nodes_.find(a.node);
  // Of a daemon that keeps no state of opens.
  if (!n || a.handle == HandleId::none) return c.reply({});
  const bool flock = a.unlock_flock && !locks_are_ours(true);
  const ReleaseIn in{handle->fh, handle->flags & ~kNotForOpen, flock ? kReleaseFlockUnlock : 0, a.lock_owner};
  ask_of(Opcode::Release, n->id, std::move(c), {bytes_of(in)}, {},
         // It is closed, whatever the daemon says, or whether it knows the request.
         [](Call<op::Release> call, const Result<Bytes>&) { call.reply({}); });
}

void FuseHost::fsync(Call<op::Fsync> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  const FsyncIn in{handle->fh, a.data_only ? kFsyncFdatasync : 0, 0};
  ask_optional(Opcode::Fsync, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::fallocate(Call<op::Fallocate> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  if (a.offset > kMostOffset || a.length > kMostOffset - a.offset) return c.fail(EFBIG);
  const FallocateIn in{handle->fh, a.offset, a.length, static_cast<uint32_t>(a.mode), 0};
  ask_optional(Opcode::Fallocate, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::seek_hole(Call<op::SeekHole> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  const LseekIn in{handle->fh, a.offset, static_cast<uint32_t>(a.whence), 0};
  ask(Opcode::Lseek, a.node, std::move(c), {bytes_of(in)}, exactly<LseekOut>(),
      [this](Call<op::SeekHole> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        const uint64_t offset = take_as<LseekOut>(*r).offset;
        if (offset > kMostOffset || offset < call->offset) return call.fail(EIO);
        call.reply(offset);
      });
}

}  // namespace isthmus::fuse_host
