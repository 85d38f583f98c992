/// The session itself, the file system as a whole, ioctl, poll, bmap.
#include <algorithm>
#include <array>

#include "base/log.h"
#include "doors/fuse/convert.h"
#include "doors/fuse/handlers.h"
#include "doors/fuse/session.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

void answer_statfs(Exchange& x, const op::Statfs&, Result<StatFs>&& r) {
  if (!r) return x.error(r.error());
  x.reply(to_wire(*r));
}

void answer_ioctl(Exchange& x, const op::Ioctl& a, Result<IoctlReply>&& r) {
  if (!r) return x.error(r.error());
  IoctlOut out{};
  out.result = r->result;
  if (!r->retry) return void(x.reply_bytes(std::as_bytes(std::span(&out, 1)), as_bytes(r->out)));
  size_t ranges = r->retry_in.size() + r->retry_out.size();
  if (!a.unrestricted || ranges == 0 || ranges > kIoctlMaxIov) {
    log(LogLevel::error, "ioctl {:#x}: the file system asks for {} ranges of memory{}", a.command, ranges,
        a.unrestricted ? "" : ", which only an unrestricted ioctl may");
    return x.error(err(EIO));
  }
  out.flags = kIoctlRetry;
  out.in_iovs = static_cast<uint32_t>(r->retry_in.size());
  out.out_iovs = static_cast<uint32_t>(r->retry_out.size());
  std::array<IoctlIovec, kIoctlMaxIov> list;
  size_t n = 0;
  for (auto& u : r->retry_in) list[n++] = {u.base, u.length};
  for (auto& u : r->retry_out) list[n++] = {u.base, u.length};
  x.reply_bytes(std::as_bytes(std::span(&out, 1)), std::as_bytes(std::span(list).first(n)));
}

void answer_poll(Exchange& x, const op::Poll&, Result<uint32_t>&& r) {
  if (!r) return x.error(r.error());
  x.reply(PollOut{*r, 0});
}

void answer_bmap(Exchange& x, const op::Bmap&, Result<uint64_t>&& r) {
  if (!r) return x.error(r.error());
  x.reply(BmapOut{*r});
}

}  // namespace

void do_init(Exchange& x) { x.session().init(x); }

void do_destroy(Exchange& x) {
  // The end comes with ENODEV on the device; the provider is stopped by whoever started it.
  x.reply();
  x.finish();
}

void do_interrupt(Exchange& x) { x.session().interrupt(x); }

void do_notify_reply(Exchange& x) {
  const auto& in = x.in().in<Opcode::NotifyReply>();
  x.session().notifier().retrieved(x.in().header->unique, x.node(), in.offset, x.in().data);
  x.finish();
}

void do_statfs(Exchange& x) {
  op::Statfs a;
  a.node = x.node();
  x.submit<op::Statfs, answer_statfs>(a);
}

void do_syncfs(Exchange& x) { x.submit<op::Sync, answer_unit<op::Sync>>({}); }

void do_ioctl(Exchange& x) {
  const auto& in = x.in().in<Opcode::Ioctl>();
  op::Ioctl a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.command = in.cmd;
  a.arg = in.arg;
  a.in = x.in().data;
  a.out_max = std::min<size_t>(in.out_size, x.data().size());
  a.unrestricted = in.flags & kIoctlUnrestricted;
  a.compat32 = in.flags & (kIoctlCompat | kIoctl32Bit);
  a.directory = in.flags & kIoctlDir;
  x.submit<op::Ioctl, answer_ioctl>(a);
}

void do_poll(Exchange& x) {
  const auto& in = x.in().in<Opcode::Poll>();
  op::Poll a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.events = in.events;
  a.arm = in.flags & kPollScheduleNotify;
  // Before asking: the news may come before the answer.
  if (a.arm) x.session().notifier().arm_poll(a.node, a.handle, in.kh);
  x.submit<op::Poll, answer_poll>(a);
}

void do_bmap(Exchange& x) {
  const auto& in = x.in().in<Opcode::Bmap>();
  op::Bmap a;
  a.node = x.node();
  a.block = in.block;
  a.block_size = in.blocksize;
  x.submit<op::Bmap, answer_bmap>(a);
}

void do_nothing_known(Exchange& x) { x.refuse(err(ENOSYS)); }

}  // namespace isthmus::fuse
