/// Extended attributes, locks and what concerns the whole.
#include <algorithm>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kMostXattr = 64 << 10;  // XATTR_SIZE_MAX, XATTR_LIST_MAX

LkIn lock_in(HandleId handle, const Lock& lock, bool whole_file) {
  LkIn in{};
  in.fh = raw(handle);
  in.owner = lock.owner;
  in.lk = to_wire(lock);
  in.lk_flags = whole_file ? kLkFlock : 0;
  return in;
}

}  // namespace

void FuseHost::statfs(Call<op::Statfs> c) {
  const NodeId node = c->node;
  ask(Opcode::Statfs, node, std::move(c), {}, sizeof(StatfsOut), [this](Call<op::Statfs> call, Result<Bytes> r) {
    if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
    if (!r) return call.fail(r.error());
    call.reply(from_wire(take_as<StatfsOut>(*r)));
  });
}

void FuseHost::access(Call<op::Access> c) {
  const auto a = *c;
  const AccessIn in{static_cast<uint32_t>(a.mask), 0};
  ask_unit(Opcode::Access, a.node, std::move(c), {bytes_of(in)});
}

void FuseHost::get_xattr(Call<op::GetXattr> c) {
  const auto a = *c;
  const GetxattrIn in{kMostXattr, 0};
  ask(Opcode::Getxattr, a.node, std::move(c), {bytes_of(in), text(a.name), kNul}, 0,
      [this](Call<op::GetXattr> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        if (r->size() > kMostXattr) return call.fail(EIO);
        call.reply(std::string(as_text(*r)));
      });
}

void FuseHost::set_xattr(Call<op::SetXattr> c) {
  const auto a = *c;
  const SetxattrCompatIn in{static_cast<uint32_t>(a.value.size()), static_cast<uint32_t>(a.flags)};
  ask_unit(Opcode::Setxattr, a.node, std::move(c), {bytes_of(in), text(a.name), kNul, a.value});
}

void FuseHost::list_xattr(Call<op::ListXattr> c) {
  const NodeId node = c->node;
  const GetxattrIn in{kMostXattr, 0};
  ask(Opcode::Listxattr, node, std::move(c), {bytes_of(in)}, 0, [this](Call<op::ListXattr> call, Result<Bytes> r) {
    if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
    if (!r) return call.fail(r.error());
    std::vector<std::string> names;
    std::string_view list = as_text(*r);
    for (size_t end; (end = list.find('\0')) != std::string_view::npos; list.remove_prefix(end + 1))
      if (end > 0) names.emplace_back(list.substr(0, end));
    call.reply(std::move(names));
  });
}

void FuseHost::remove_xattr(Call<op::RemoveXattr> c) {
  const auto a = *c;
  ask_unit(Opcode::Removexattr, a.node, std::move(c), {text(a.name), kNul});
}

void FuseHost::get_lock(Call<op::GetLock> c) {
  const auto a = *c;
  const LkIn in = lock_in(a.handle, a.lock, false);
  ask(Opcode::Getlk, a.node, std::move(c), {bytes_of(in)}, sizeof(LkOut), [](Call<op::GetLock> call, Result<Bytes> r) {
    if (!r) return call.fail(r.error());
    call.finish(from_wire(take_as<LkOut>(*r).lk));
  });
}

void FuseHost::set_lock(Call<op::SetLock> c) {
  const auto a = *c;
  if (a.whole_file && !(flags_ & kInitFlockLocks)) return c.fail(ENOSYS);
  const LkIn in = lock_in(a.handle, a.lock, a.whole_file);
  ask(a.wait ? Opcode::Setlkw : Opcode::Setlk, a.node, std::move(c), {bytes_of(in)}, 0,
      [](Call<op::SetLock> call, Result<Bytes> r) { call.finish(r ? Status(Unit{}) : Status(r.error())); });
}

void FuseHost::ioctl(Call<op::Ioctl> c) {
  const auto a = *c;
  IoctlIn in{};
  in.fh = raw(a.handle);
  in.flags = (a.directory ? kIoctlDir : 0) | (a.compat32 ? kIoctl32Bit : 0);
  in.cmd = a.command;
  in.arg = a.arg;
  in.in_size = static_cast<uint32_t>(a.in.size());
  in.out_size = static_cast<uint32_t>(std::min(a.out_max, kMostData));
  ask(Opcode::Ioctl, a.node, std::move(c), {bytes_of(in), a.in}, sizeof(IoctlOut),
      [most = in.out_size](Call<op::Ioctl> call, Result<Bytes> r) {
        if (!r) return call.fail(r.error() == err(ENOSYS) ? err(ENOTTY) : r.error());
        const auto out = take_as<IoctlOut>(*r);
        const Bytes data = r->subspan(sizeof out);
        if ((out.flags & kIoctlRetry) || data.size() > most) return call.fail(EIO);
        IoctlReply reply;
        reply.result = out.result;
        reply.out = std::string(as_text(data));
        call.reply(std::move(reply));
      });
}

}  // namespace isthmus::fuse_host
