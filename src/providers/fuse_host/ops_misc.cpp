/// Extended attributes, locks, ioctls and what concerns the whole.
#include <poll.h>
#include <sys/xattr.h>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kMostXattr = 64 << 10;  // XATTR_SIZE_MAX, XATTR_LIST_MAX
constexpr uint32_t kIovecMinor = 16;       // IoctlIovec; before, what the daemon's compiler makes of struct iovec

LkIn lock_in(uint64_t fh, const Lock& lock, bool whole_file) {
  LkIn in{};
  in.fh = fh;
  in.owner = lock.owner;
  in.lk = to_wire(lock);
  in.lk_flags = whole_file ? kLkFlock : 0;
  return in;
}

template <class T>
bool bad_xattr_name(Call<T>& c) {
  if (!c->name.empty() && c->name.size() <= kXattrNameMax) return false;
  c.fail(ERANGE);
  return true;
}

/// The ranges of a process's memory that an unrestricted ioctl wants to have.
bool take_ranges(Bytes& from, uint32_t count, size_t most, std::vector<UserRange>& to) {
  size_t sum = 0;
  for (uint32_t i = 0; i < count; i++, from = from.subspan(sizeof(IoctlIovec))) {
    const auto range = take_as<IoctlIovec>(from);
    if (range.len > most - sum) return false;
    sum += range.len;
    to.push_back({range.base, range.len});
  }
  return true;
}

}  // namespace

void FuseHost::statfs(Call<op::Statfs> c) {
  const NodeId node = c->node;
  ask(Opcode::Statfs, node, std::move(c), {}, exactly<StatfsOut>(), [this](Call<op::Statfs> call, Result<Bytes> r) {
    if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
    if (!r) return call.fail(r.error());
    call.reply(from_wire(take_as<StatfsOut>(*r)));
  });
}

void FuseHost::sync(Call<op::Sync> c) {
  const SyncfsIn in{};
  ask_optional(Opcode::Syncfs, NodeId::root, std::move(c), {bytes_of(in)});
}

void FuseHost::access(Call<op::Access> c) {
  const auto a = *c;
  if (options_.read_only && (a.mask & W_OK)) return c.fail(EROFS);
  const AccessIn in{static_cast<uint32_t>(a.mask), 0};
  ask(Opcode::Access, a.node, std::move(c), {bytes_of(in)}, {}, [](Call<op::Access> call, Result<Bytes> r) {
    // A daemon that does not look at it allows everything: each request is judged by itself.
    call.finish(r || r.error() == err(ENOSYS) ? Status(Unit{}) : Status(r.error()));
  });
}

// The waist wants whole values: no question for the size comes first.

/// Some daemons without extended attributes (rclone's) answer EIO, which doors that have to know an attribute could not
/// pass over. Of a daemon that has them it is what it says.
Errno FuseHost::xattr_error(Errno e) {
  if (e == err(ENODATA)) has_xattrs_.store(true, std::memory_order_relaxed);
  return e == err(EIO) && !has_xattrs_.load(std::memory_order_relaxed) ? err(ENOTSUP) : e;
}

template <class T>
void FuseHost::ask_xattr(Opcode opcode, Call<T> call, Parts parts) {
  const NodeId node = call->node;
  ask(opcode, node, std::move(call), parts, {}, [this](Call<T> c, Result<Bytes> r) {
    if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(c));
    c.finish(r ? Status(Unit{}) : Status(xattr_error(r.error())));
  });
}

void FuseHost::get_xattr(Call<op::GetXattr> c) {
  if (bad_xattr_name(c)) return;
  const auto a = *c;
  const GetxattrIn in{kMostXattr, 0};
  ask(Opcode::Getxattr, a.node, std::move(c), {bytes_of(in), text(a.name), kNul}, up_to(kMostXattr),
      [this](Call<op::GetXattr> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(xattr_error(r.error()));
        has_xattrs_.store(true, std::memory_order_relaxed);
        call.reply(std::string(as_text(*r)));
      });
}

void FuseHost::set_xattr(Call<op::SetXattr> c) {
  if (bad_xattr_name(c)) return;
  const auto a = *c;
  if (a.value.size() > kMostXattr) return c.fail(E2BIG);
  SetxattrIn in{};
  in.size = static_cast<uint32_t>(a.value.size());
  in.flags = static_cast<uint32_t>(a.flags);
  if (a.kill_sgid) in.setxattr_flags = kSetxattrAclKillSgid;
  const size_t length = has(kInitSetxattrExt) ? sizeof in : sizeof(SetxattrCompatIn);
  ask_xattr(Opcode::Setxattr, std::move(c), {bytes_of(in, length), text(a.name), kNul, a.value});
}

void FuseHost::list_xattr(Call<op::ListXattr> c) {
  const NodeId node = c->node;
  const GetxattrIn in{kMostXattr, 0};
  ask(Opcode::Listxattr, node, std::move(c), {bytes_of(in)}, up_to(kMostXattr),
      [this](Call<op::ListXattr> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(xattr_error(r.error()));
        std::vector<std::string> names;
        // Each with a NUL behind it, and none empty (fuse_verify_xattr_list()).
        for (std::string_view list = as_text(*r); !list.empty();) {
          const size_t end = list.find('\0');
          if (end == 0 || end == std::string_view::npos) return call.fail(EIO);
          names.emplace_back(list.substr(0, end));
          list.remove_prefix(end + 1);
        }
        call.reply(std::move(names));
      });
}

void FuseHost::remove_xattr(Call<op::RemoveXattr> c) {
  if (bad_xattr_name(c)) return;
  const auto a = *c;
  ask_xattr(Opcode::Removexattr, std::move(c), {text(a.name), kNul});
}

// ---- locks ----

/// The two kinds are agreed on one by one. When the daemon has neither, the operations are dropped, and the volume's
/// table serves all doors.
bool FuseHost::locks_are_ours(bool whole_file) const {
  return !has(whole_file ? kInitFlockLocks : kInitPosixLocks) || lacks(Opcode::Setlk) || lacks(Opcode::Setlkw);
}

void FuseHost::get_lock(Call<op::GetLock> c) {
  const auto a = *c;
  if (locks_are_ours(false)) return c.finish(locks_.get(a.node, a.lock));
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  const LkIn in = lock_in(handle->fh, a.lock, false);
  ask(Opcode::Getlk, a.node, std::move(c), {bytes_of(in)}, exactly<LkOut>(),
      [this](Call<op::GetLock> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return call.finish(locks_.get(call->node, call->lock));
        if (!r) return call.fail(r.error());
        call.finish(from_wire(take_as<LkOut>(*r).lk));
      });
}

void FuseHost::set_lock(Call<op::SetLock> c) {
  const auto a = *c;
  if (locks_are_ours(a.whole_file)) return locks_.set(std::move(c));
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  const LkIn in = lock_in(handle->fh, a.lock, a.whole_file);
  ask(a.wait ? Opcode::Setlkw : Opcode::Setlk, a.node, std::move(c), {bytes_of(in)}, {},
      [this](Call<op::SetLock> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return locks_.set(std::move(call));
        call.finish(r ? Status(Unit{}) : Status(r.error()));
      });
}

// ---- ioctl, poll, bmap ----

void FuseHost::ioctl(Call<op::Ioctl> c) {
  const auto a = *c;
  if (a.directory && !has(kInitHasIoctlDir)) return c.fail(ENOTTY);
  auto handle = find_handle(a.handle, a.directory ? Opcode::Opendir : Opcode::Open);
  if (!handle) return c.fail(handle.error());
  const size_t most = std::min(most_read_, kWholeData);
  if (a.in.size() > most || a.out_max > most) return c.fail(ENOMEM);
  IoctlIn in{};
  in.fh = handle->fh;
  const bool unrestricted = a.unrestricted && (!cuse_ || cuse_->unrestricted_ioctls);
  in.flags = (a.directory ? kIoctlDir : 0) | (a.compat32 ? kIoctl32Bit : 0) | (unrestricted ? kIoctlUnrestricted : 0);
  in.cmd = a.command;
  in.arg = a.arg;
  in.in_size = static_cast<uint32_t>(a.in.size());
  in.out_size = static_cast<uint32_t>(a.out_max);
  const size_t ranges = unrestricted ? kIoctlMaxIov * sizeof(IoctlIovec) : 0;
  const Size size{sizeof(IoctlOut), sizeof(IoctlOut) + std::max<size_t>(in.out_size, ranges)};
  ask(Opcode::Ioctl, a.node, std::move(c), {bytes_of(in), a.in}, size,
      [this, most, may_retry = unrestricted](Call<op::Ioctl> call, Result<Bytes> r) {
        if (!r) return call.fail(r.error() == err(ENOSYS) ? err(ENOTTY) : r.error());
        const auto out = take_as<IoctlOut>(*r);
        Bytes data = r->subspan(sizeof out);
        IoctlReply reply;
        reply.result = out.result;
        if (out.flags & kIoctlRetry) {
          const uint64_t count = uint64_t{out.in_iovs} + out.out_iovs;
          reply.retry = true;
          if (!may_retry || minor_ < kIovecMinor || count > kIoctlMaxIov || data.size() != count * sizeof(IoctlIovec) ||
              !take_ranges(data, out.in_iovs, most, reply.retry_in) ||
              !take_ranges(data, out.out_iovs, most, reply.retry_out))
            return call.fail(EIO);
          return call.reply(std::move(reply));
        }
        if (data.size() > call->out_max) return call.fail(EIO);
        reply.out = std::string(as_text(data));
        call.reply(std::move(reply));
      });
}

void FuseHost::poll(Call<op::Poll> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle, Opcode::Open);
  if (!handle) return c.fail(handle.error());
  const bool arm = a.arm && a.handle != HandleId::none && !lacks(Opcode::Poll);
  if (arm) arm_poll(a.handle, a.node);
  // The news that it is ready names our handle.
  const PollIn in{handle->fh, raw(a.handle), arm ? kPollScheduleNotify : 0, a.events};
  ask(Opcode::Poll, a.node, std::move(c), {bytes_of(in)}, exactly<PollOut>(),
      [this](Call<op::Poll> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        call.reply(take_as<PollOut>(*r).revents & (call->events | POLLERR | POLLHUP));
      });
}

void FuseHost::bmap(Call<op::Bmap> c) {
  const auto a = *c;
  if (!options_.block_device) return c.reply(0);
  const BmapIn in{a.block, a.block_size, 0};
  ask(Opcode::Bmap, a.node, std::move(c), {bytes_of(in)}, exactly<BmapOut>(), [](Call<op::Bmap> call, Result<Bytes> r) {
    if (!r && r.error() == err(ENOSYS)) return call.reply(0);
    if (!r) return call.fail(r.error());
    call.reply(take_as<BmapOut>(*r).block);
  });
}

}  // namespace isthmus::fuse_host
