/// Open files.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "vfs/then.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kNotForOpen = O_CREAT | O_EXCL | O_NOCTTY;

}  // namespace

void FuseHost::open(Call<op::Open> c) {
  const uint32_t flags = c->flags;
  if (!(flags & O_TRUNC) || (flags_ & kInitAtomicOTrunc)) return send_open(std::move(c));
  const NodeId node = c->node;
  SetattrIn in{};
  in.valid = kFattrSize;
  ask(Opcode::Setattr, node, std::move(c), {bytes_of(in)}, 0, [this](Call<op::Open> call, Result<Bytes> r) {
    if (!r) return call.fail(r.error());
    send_open(std::move(call));
  });
}

void FuseHost::send_open(Call<op::Open> c) {
  const auto a = *c;
  OpenIn in{a.flags & ~kNotForOpen, 0};
  if (!(flags_ & kInitAtomicOTrunc)) in.flags &= ~uint32_t{O_TRUNC};
  ask(Opcode::Open, a.node, std::move(c), {bytes_of(in)}, sizeof(OpenOut),
      [this](Call<op::Open> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS) && (flags_ & kInitNoOpenSupport)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        call.reply(from_wire(take_as<OpenOut>(*r), false));
      });
}

void FuseHost::create(Call<op::Create> c) {
  const auto a = *c;
  const CreateIn in{a.flags | O_CREAT, (a.mode & 07777) | S_IFREG, 0, 0};
  ask(Opcode::Create, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul}, sizeof(EntryOut) + sizeof(OpenOut),
      [this](Call<op::Create> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        const auto out = take_as<EntryOut>(*r);
        auto entry = from_wire(out);
        if (!entry || !S_ISREG(entry->attr.mode)) {
          if (out.nodeid != 0) forget_node(out.nodeid, 1);
          return call.fail(EIO);
        }
        call.reply({*entry, from_wire(take_as<OpenOut>(r->subspan(sizeof(EntryOut))), false)});
      });
}

/// A read of any size: piece by piece.
class FuseHost::Reading {
 public:
  static void go_on(FuseHost& host, Call<op::Read> c, std::shared_ptr<std::string> room, size_t have) {
    const auto a = *c;
    ReadIn in{};
    in.fh = raw(a.handle);
    in.offset = a.offset + have;
    in.size = static_cast<uint32_t>(std::min(a.size - have, kMostData));
    in.flags = a.flags;
    if (a.lock_owner != 0) {
      in.read_flags = kReadLockowner;
      in.lock_owner = a.lock_owner;
    }
    host.ask(Opcode::Read, a.node, std::move(c), {bytes_of(in)}, 0,
             [&host, room = std::move(room), have, asked = in.size](Call<op::Read> call, Result<Bytes> r) mutable {
               if (!r && have == 0) return call.fail(r.error());
               const size_t got = r ? r->size() : 0;
               if (got > asked) return call.fail(EIO);
               const bool into = call->into.size() >= call->size;
               if (into && got > 0) memcpy(call->into.data() + have, r->data(), got);
               if (!into && r) room->append(as_text(*r));
               if (got == asked && have + got < call->size)
                 return go_on(host, std::move(call), std::move(room), have + got);
               call.reply(into ? Buffer::filled(have + got) : Buffer::own(std::move(*room)));
             });
  }
};

void FuseHost::read(Call<op::Read> c) {
  if (c->size == 0) return c.reply({});
  Reading::go_on(*this, std::move(c), std::make_shared<std::string>(), 0);
}

class FuseHost::Writing {
 public:
  /// `all` lives in `room` or in the operation.
  static void go_on(FuseHost& host, Call<op::Write> c, std::shared_ptr<std::string> room, Bytes all, size_t done) {
    const auto a = *c;
    const Bytes piece = all.subspan(done, std::min(all.size() - done, host.max_write_));
    WriteIn in{};
    in.fh = raw(a.handle);
    in.offset = a.offset + done;
    in.size = static_cast<uint32_t>(piece.size());
    in.flags = a.flags | (a.append ? uint32_t{O_APPEND} : 0) | (a.through ? uint32_t{O_SYNC} : 0);
    if (a.lock_owner != 0) {
      in.write_flags |= kWriteLockowner;
      in.lock_owner = a.lock_owner;
    }
    host.ask(
        Opcode::Write, a.node, std::move(c), {bytes_of(in), piece}, sizeof(WriteOut),
        [&host, room = std::move(room), all, done, asked = in.size](Call<op::Write> call, Result<Bytes> r) mutable {
          if (!r && done == 0) return call.fail(r.error());
          const size_t taken = r ? take_as<WriteOut>(*r).size : 0;
          if (taken > asked) return call.fail(EIO);
          if (taken == asked && done + taken < all.size())
            return go_on(host, std::move(call), std::move(room), all, done + taken);
          call.reply(done + taken);
        });
  }
};

void FuseHost::write(Call<op::Write> c) {
  auto room = std::make_shared<std::string>();
  auto all = c->data->in_one_piece(*room);
  if (!all) return c.fail(all.error());
  if (all->empty()) return c.reply(0);
  Writing::go_on(*this, std::move(c), std::move(room), *all, 0);
}

void FuseHost::copy_range(Call<op::CopyRange> c) {
  const auto a = *c;
  constexpr uint64_t kMost = 0x7ffff000;  // the answer has 32 bits
  const CopyFileRangeIn in{raw(a.from_handle),        a.from_offset, raw(a.to), raw(a.to_handle), a.to_offset,
                           std::min(a.length, kMost), a.flags};
  ask(Opcode::CopyFileRange, a.from, std::move(c), {bytes_of(in)}, sizeof(WriteOut),
      [this, most = in.len](Call<op::CopyRange> call, Result<Bytes> r) {
        if (!r && is_unsupported(r.error())) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        const uint64_t copied = take_as<WriteOut>(*r).size;
        if (copied > most) return call.fail(EIO);
        call.reply(copied);
      });
}

void FuseHost::flush(Call<op::Flush> c) {
  const auto a = *c;
  const FlushIn in{raw(a.handle), 0, 0, a.lock_owner};
  ask_unit(Opcode::Flush, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::release(Call<op::Release> c) {
  const auto a = *c;
  // Of a daemon that keeps no state of opens.
  if (!capabilities().has(Op::Open) && a.handle == HandleId::none) return c.reply({});
  const ReleaseIn in{raw(a.handle), a.flags, a.unlock_flock ? kReleaseFlockUnlock : 0, a.lock_owner};
  ask(Opcode::Release, a.node, std::move(c), {bytes_of(in)}, 0,
      [](Call<op::Release> call, Result<Bytes> r) { call.finish(r ? Status(Unit{}) : Status(r.error())); });
}

void FuseHost::fsync(Call<op::Fsync> c) {
  const auto a = *c;
  const FsyncIn in{raw(a.handle), a.data_only ? kFsyncFdatasync : 0, 0};
  ask_unit(Opcode::Fsync, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::fallocate(Call<op::Fallocate> c) {
  const auto a = *c;
  const FallocateIn in{raw(a.handle), a.offset, a.length, static_cast<uint32_t>(a.mode), 0};
  ask_unit(Opcode::Fallocate, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::seek_hole(Call<op::SeekHole> c) {
  const auto a = *c;
  const LseekIn in{raw(a.handle), a.offset, static_cast<uint32_t>(a.whence), 0};
  ask(Opcode::Lseek, a.node, std::move(c), {bytes_of(in)}, sizeof(LseekOut),
      [this](Call<op::SeekHole> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        call.reply(take_as<LseekOut>(*r).offset);
      });
}

}  // namespace isthmus::fuse_host
