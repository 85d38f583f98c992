/// Locks, watches, and what else kernels and clients ask.
#include <algorithm>

#include "providers/userfs_host/ask.h"

namespace isthmus::userfs_host {

void UserfsHost::statfs(Call<op::Statfs> c) {
  const NodeId node = c->node;
  auto now = present(c);
  if (!now) return;
  const packets::HandleRequest in{now->handle(node)};
  ask<Opcode::statfs>(*now, std::move(c), in, [](Call<op::Statfs> call, Result<packets::StatfsReply> r) {
    if (!r) return call.fail(r.error());
    call.reply(from_wire(*r));
  });
}

void UserfsHost::sync(Call<op::Sync> c) {
  auto now = present(c);
  if (!now) return;
  ask_unit<Opcode::sync>(*now, std::move(c), {});
}

void UserfsHost::get_lock(Call<op::GetLock> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::LockRequest in{now->handle(a.node), now->fh(a.handle), to_wire(a.lock), 0};
  ask<Opcode::getlock>(*now, std::move(c), in, [this](Call<op::GetLock> call, Result<packets::LockReply> r) {
    if (!r) return call.fail(r.error());
    const auto lock = from_wire(r->lock);
    if (!lock) bad_answer();
    call.finish(lock);
  });
}

void UserfsHost::set_lock(Call<op::SetLock> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::LockRequest in{now->handle(a.node), now->fh(a.handle), to_wire(a.lock),
                                (a.wait ? 1u : 0u) | (a.whole_file ? 2u : 0u)};
  const bool waits = a.wait;
  // One that comes when nobody waits for it any longer is let go.
  auto undo = [this, now = *now, in](const packets::Empty&) {
    packets::LockRequest unlock = in;
    unlock.lock.type = 0;
    unlock.how &= 2;
    tell<Opcode::setlock>(now, unlock);
  };
  ask<Opcode::setlock>(
      *now, std::move(c), in,
      [](Call<op::SetLock> call, Result<packets::Empty> r) { call.finish(r ? Status(Unit{}) : Status(r.error())); },
      std::move(undo), waits);
}

void UserfsHost::set_lease(Call<op::SetLease> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::LeaseRequest in{now->handle(a.node), now->fh(a.handle), a.bits};
  auto undo = [this, now = *now, in](const packets::BitsReply& late) {
    if (late.bits != 0) tell<Opcode::lease>(now, {in.handle, in.fh, 0});
  };
  ask<Opcode::lease>(
      *now, std::move(c), in,
      [wanted = a.bits](Call<op::SetLease> call, Result<packets::BitsReply> r) {
        if (!r) return call.fail(r.error());
        call.reply(static_cast<uint8_t>(r->bits & wanted));
      },
      std::move(undo));
}

void UserfsHost::ioctl(Call<op::Ioctl> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  if (a.unrestricted || a.in.size() > most_data()) return c.fail(ENOTTY);
  packets::IoctlRequest in{now->handle(a.node), now->fh(a.handle), a.command, a.arg};
  in.how = (a.compat32 ? 1u : 0u) | (a.directory ? 2u : 0u);
  in.most = static_cast<uint32_t>(std::min(a.out_max, most_data()));
  in.in = a.in;
  ask<Opcode::ioctl>(*now, std::move(c), in, [this](Call<op::Ioctl> call, Result<packets::IoctlReply> r) {
    if (!r) return call.fail(r.error());
    if (r->out.size() > call->out_max) return call.fail(bad_answer());
    IoctlReply reply;
    reply.result = r->result;
    reply.out = std::string(as_text(r->out));
    call.reply(std::move(reply));
  });
}

void UserfsHost::poll(Call<op::Poll> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::SelectRequest in{now->handle(a.node), now->fh(a.handle), a.events,
                                  a.arm && supports(Opcode::news) ? 1u : 0u};
  ask<Opcode::select>(*now, std::move(c), in, [](Call<op::Poll> call, Result<packets::BitsReply> r) {
    if (!r) return call.fail(r.error());
    call.reply(r->bits);
  });
}

void UserfsHost::watch(Call<op::Watch> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::WatchRequest in{now->handle(a.node), a.what, a.subtree ? 1u : 0u};
  ask<Opcode::watch>(
      *now, std::move(c), in,
      [this, life = now->life, in](Call<op::Watch> call, Result<packets::WatchId> r) {
        if (!r) return call.fail(r.error());
        if (r->watch == 0) return call.fail(bad_answer());
        Reopen open{Kind::watch, in.handle, in.what, r->watch};
        open.subtree = in.subtree != 0;
        call.reply(add_open(life, open));
      },
      [this, now = *now](const packets::WatchId& late) { tell<Opcode::unwatch>(now, late); });
}

void UserfsHost::unwatch(Call<op::Unwatch> c) {
  const HandleId watch = c->watch;
  auto now = present(c);
  if (!now) return;
  const packets::WatchId in{now->fh(watch)};
  forget_open(watch);
  ask_unit<Opcode::unwatch>(*now, std::move(c), in);
}

void UserfsHost::get_reparse(Call<op::GetReparse> c) {
  const NodeId node = c->node;
  auto now = present(c);
  if (!now) return;
  const packets::HandleRequest in{now->handle(node)};
  ask<Opcode::getreparse>(*now, std::move(c), in, [](Call<op::GetReparse> call, Result<packets::DataReply> r) {
    if (!r) return call.fail(r.error());
    call.reply(std::string(as_text(r->data)));
  });
}

void UserfsHost::set_reparse(Call<op::SetReparse> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::SetreparseRequest in{now->handle(a.node), a.remove ? 1u : 0u, a.point.tag, a.point.data};
  ask_unit<Opcode::setreparse>(*now, std::move(c), in);
}

void UserfsHost::list_streams(Call<op::ListStreams> c) {
  const NodeId node = c->node;
  auto now = present(c);
  if (!now) return;
  const packets::HandleRequest in{now->handle(node)};
  ask<Opcode::liststreams>(*now, std::move(c), in, [](Call<op::ListStreams> call, Result<packets::StreamsReply> r) {
    if (!r) return call.fail(r.error());
    std::vector<StreamInfo> streams;
    for (auto& s : r->streams) streams.push_back({std::string(s.name), s.size});
    call.reply(std::move(streams));
  });
}

void UserfsHost::get_acl(Call<op::GetAcl> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::AclRequest in{now->handle(a.node), static_cast<uint32_t>(a.kind)};
  ask<Opcode::getacl>(*now, std::move(c), in, [this](Call<op::GetAcl> call, Result<packets::DataReply> r) {
    if (!r) return call.fail(r.error());
    if (r->data.size() > wire::userfs::kMostXattr) return call.fail(bad_answer());
    call.reply(std::string(as_text(r->data)));
  });
}

void UserfsHost::set_acl(Call<op::SetAcl> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::SetaclRequest in{now->handle(a.node), static_cast<uint32_t>(a.kind), a.acl};
  ask_unit<Opcode::setacl>(*now, std::move(c), in);
}

}  // namespace isthmus::userfs_host
