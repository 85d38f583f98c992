/// Open files.
#include <fcntl.h>
#include <sys/stat.h>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "providers/fuse_host/read_ahead.h"
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
        if (call->flags & O_TRUNC) data_changes(call->node);
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
        data_changes(call->node);
        if (r)
          if (auto attr = take_attributes(call->node, take_as<AttrOut>(*r)); !attr) r = attr.error();
        if (r) return call.reply(o);
        auto handle = end_handle(o.handle);
        const Node* n = nodes_.find(call->node);
        if (handle && n) release_unused(n->id, {handle->fh, 0, 0}, handle->flags);
        call.fail(r.error());
      });
}

/// A read of any size, in as many requests as it takes. They are sent at once where the daemon takes several of one
/// file (ASYNC_READ), as far as the file is known to go: what is only tried goes alone.
class FuseHost::Reading {
 public:
  Reading(FuseHost& host, Call<op::Read> call, const Handle& handle, const Node& node)
      : host_(host), call_(std::move(call)), handle_(handle), node_(node.id), known_size_(node.size) {
    room_ = call_->into;
    if (room_.size() >= call_->size) return;
    own_ = std::make_unique_for_overwrite<std::byte[]>(call_->size);
    room_ = {own_.get(), call_->size};
  }

  static void go_on(const std::shared_ptr<Reading>& self) {
    Reading& r = *self;
    const auto& a = *r.call_;
    const Context& ctx = r.call_.context();
    r.pieces_.clear();
    for (size_t at = r.have_; at < a.size && r.pieces_.size() < kMostAtOnce && r.may_ask(at);) {
      Piece p{.at = at};
      p.asked = r.host_.read_at_once(a.size - at, p.probes);
      at += p.asked;
      r.pieces_.push_back(p);
      if (p.probes) break;
    }
    r.left_ = r.pieces_.size();
    std::optional<Context> others;
    if (r.pieces_.size() > 1) others.emplace(ctx).cancel = nullptr;  // which tells one request
    // The last that is answered goes on: nothing of the call may be looked at when it is sent.
    for (size_t i = 0, n = r.pieces_.size(); i < n; i++) {
      ReadIn in{};
      in.fh = r.handle_.fh;
      in.offset = a.offset + r.pieces_[i].at;
      in.size = static_cast<uint32_t>(r.pieces_[i].asked);
      in.flags = a.flags != 0 ? a.flags : r.handle_.flags;
      if (a.lock_owner != 0) {
        in.read_flags = kReadLockowner;
        in.lock_owner = a.lock_owner;
      }
      const Bytes body = bytes_of(in);
      r.host_.connection_.ask({.opcode = Opcode::Read, .node = r.node_, .most = in.size}, i == 0 ? ctx : *others,
                              std::span(&body, 1), std::make_unique<Waiter>(self, i));
    }
  }

 private:
  static constexpr size_t kMostAtOnce = 16;

  struct Piece {
    size_t at = 0, asked = 0, got = 0;
    Errno error{};
    bool probes = false;
  };
  class Waiter final : public Connection::Waiter {
   public:
    Waiter(std::shared_ptr<Reading> of, size_t piece) : of_(std::move(of)), piece_(piece) {}
    void answered(Errno e, Bytes body) noexcept override {
      Piece& p = of_->pieces_[piece_];
      p.error = e;
      p.got = body.size();
      if (!body.empty()) memcpy(of_->room_.data() + p.at, body.data(), body.size());
      if (p.probes) of_->host_.probed(p.got);
      if (of_->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_answered(of_);
    }

   private:
    const std::shared_ptr<Reading> of_;
    const size_t piece_;
  };

  bool may_ask(size_t at) const {
    return at == have_ || (host_.has(kInitAsyncRead) && call_->offset + at < known_size_);
  }

  static void all_answered(const std::shared_ptr<Reading>& self) {
    Reading& r = *self;
    for (const Piece& p : r.pieces_) {
      // Its pieces were mixed with others'; it has to be asked for again, in parts that come whole.
      if (p.error == err(EIO) && p.asked > kWholeData && r.host_.connection_.comes_in_pieces()) return go_on(self);
      if (p.error != Errno{} && r.have_ == 0) return r.call_.fail(p.error);
      r.have_ += p.got;
      if (p.got < p.asked) return r.reply();
    }
    if (r.have_ < r.call_->size) return go_on(self);
    r.reply();
  }
  void reply() {
    if (!own_) return call_.reply(Buffer::filled(have_));
    const Bytes all(own_.get(), have_);
    call_.reply(Buffer::keep(std::shared_ptr<const std::byte[]>(std::move(own_)), all));
  }

  FuseHost& host_;
  Call<op::Read> call_;
  const Handle handle_;
  const uint64_t node_, known_size_;
  MutableBytes room_;
  std::unique_ptr<std::byte[]> own_;  // where the caller has none
  size_t have_ = 0;                   // from the beginning on
  std::vector<Piece> pieces_;         // each its answer's alone until left_ is 0
  std::atomic<size_t> left_{0};
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
  if (handle && handle->ahead && ReadAhead::is_for(*this, *handle, *c, c.context().door))
    return handle->ahead->read(std::move(c));
  read_now(std::move(c));
}

void FuseHost::read_now(Call<op::Read> c) {
  auto handle = find_handle(c->handle, Opcode::Open, c->flags);
  if (!handle) return c.fail(handle.error());
  if (c->size == 0 || c->offset >= kMostOffset) return c.reply({});
  auto n = nodes_.get(c->node, Op::Read);
  if (!n) return c.fail(n.error());
  Reading::go_on(std::make_shared<Reading>(*this, std::move(c), *handle, **n));
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
                 s.host.data_changes(call->node);
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
  data_changes(c->node);
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
  data_changes(a.to);
  ask(opcode, a.from, std::move(c), {bytes_of(in)}, wide ? exactly<CopyFileRangeOut>() : exactly<WriteOut>(),
      [this, most, wide](Call<op::CopyRange> call, Result<Bytes> r) {
        data_changes(call->to);
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
  if (handle->ahead && handle->ahead->end(c, *handle)) return;
  release_now(std::move(c), *handle);
}

void FuseHost::release_now(Call<op::Release> c, const Handle& handle) {
  const auto a = *c;
  const Node* n = nodes_.find(a.node);
  if (!n) return c.reply({});
  const bool flock = a.unlock_flock && !locks_are_ours(true);
  const ReleaseIn in{handle.fh, handle.flags & ~kNotForOpen, flock ? kReleaseFlockUnlock : 0, a.lock_owner};
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
  data_changes(a.node);
  const FallocateIn in{handle->fh, a.offset, a.length, static_cast<uint32_t>(a.mode), 0};
  ask(Opcode::Fallocate, a.node, std::move(c), {bytes_of(in)}, {}, [this](Call<op::Fallocate> call, Result<Bytes> r) {
    data_changes(call->node);
    if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
    call.finish(r ? Status(Unit{}) : Status(r.error()));
  });
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
