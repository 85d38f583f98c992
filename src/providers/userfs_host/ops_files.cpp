/// Open files.
#include <algorithm>
#include <cstring>

#include "providers/userfs_host/ask.h"

namespace isthmus::userfs_host {

void UserfsHost::open(Call<op::Open> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::OpenRequest in{now->handle(a.node), a.flags, a.share, a.access, a.kill_suidgid ? 1u : 0u};
  ask_opened<Opcode::open>(*now, std::move(c), in, Kind::file);
}

void UserfsHost::create(Call<op::Create> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  packets::CreateRequest in{now->handle(a.dir), now->name(a.name),        a.mode, a.flags, a.share,
                            a.access,           a.kill_suidgid ? 1u : 0u, {}};
  for (auto& l : a.labels) in.labels.push_back({l.name, as_text(l.value)});
  ask_created<Opcode::create>(*now, std::move(c), in);
}

void UserfsHost::tmpfile(Call<op::Tmpfile> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  packets::TmpfileRequest in{now->handle(a.dir), a.mode, a.flags, {}};
  for (auto& l : a.labels) in.labels.push_back({l.name, as_text(l.value)});
  ask_created<Opcode::tmpfile>(*now, std::move(c), in);
}

/// A read of any size: piece by piece.
class UserfsHost::Reading {
 public:
  static void go_on(UserfsHost& host, Now now, Call<op::Read> c, std::shared_ptr<std::string> room, size_t have) {
    const auto& a = *c;
    packets::ReadRequest in{now.handle(a.node), now.fh(a.handle), a.offset + have};
    in.count = static_cast<uint32_t>(std::min(a.size - have, host.most_data()));
    in.flags = a.flags;
    in.lock_owner = a.lock_owner;
    host.ask<Opcode::read>(now, std::move(c), in,
                           [&host, now, room = std::move(room), have, asked = in.count](
                               Call<op::Read> call, Result<packets::DataReply> r) mutable {
                             if (!r && have == 0) return call.fail(r.error());
                             const Bytes data = r ? r->data : Bytes();
                             if (data.size() > asked) return call.fail(host.bad_answer());
                             const bool into = call->into.size() >= call->size;
                             if (into && !data.empty()) memcpy(call->into.data() + have, data.data(), data.size());
                             if (!into) room->append(as_text(data));
                             have += data.size();
                             if (data.size() == asked && have < call->size)
                               return go_on(host, std::move(now), std::move(call), std::move(room), have);
                             call.reply(into ? Buffer::filled(have) : Buffer::own(std::move(*room)));
                           });
  }
};

void UserfsHost::read(Call<op::Read> c) {
  if (c->size == 0) return c.reply({});
  auto now = present(c);
  if (!now) return;
  auto room = c->into.size() >= c->size ? nullptr : std::make_shared<std::string>();
  Reading::go_on(*this, std::move(*now), std::move(c), std::move(room), 0);
}

class UserfsHost::Writing {
 public:
  /// `all` lives in `room` or in the operation.
  static void go_on(UserfsHost& host, Now now, Call<op::Write> c, std::shared_ptr<std::string> room, Bytes all,
                    size_t done) {
    const auto& a = *c;
    packets::WriteRequest in{now.handle(a.node), now.fh(a.handle), a.offset + done};
    in.flags = a.flags;
    in.how = (a.append ? uint32_t{packets::kWriteAppend} : 0) | (a.through ? uint32_t{packets::kWriteThrough} : 0) |
             (a.from_cache ? uint32_t{packets::kWriteFromCache} : 0) |
             (a.kill_suidgid ? uint32_t{packets::kWriteKillSuid} : 0);
    in.lock_owner = a.lock_owner;
    in.data = all.subspan(done, std::min(all.size() - done, host.most_data()));
    host.ask<Opcode::write>(now, std::move(c), in,
                            [&host, now, room = std::move(room), all, done, asked = in.data.size()](
                                Call<op::Write> call, Result<packets::CountReply> r) mutable {
                              if (!r && done == 0) return call.fail(r.error());
                              const size_t taken = r ? r->count : 0;
                              if (taken > asked) return call.fail(host.bad_answer());
                              done += taken;
                              if (taken == asked && done < all.size())
                                return go_on(host, std::move(now), std::move(call), std::move(room), all, done);
                              call.reply(done);
                            });
  }
};

void UserfsHost::write(Call<op::Write> c) {
  auto room = std::make_shared<std::string>();
  auto all = c->data->in_one_piece(*room);
  if (!all) return c.fail(all.error());
  if (all->empty()) return c.reply(0);
  auto now = present(c);
  if (!now) return;
  Writing::go_on(*this, std::move(*now), std::move(c), std::move(room), *all, 0);
}

void UserfsHost::copy_range(Call<op::CopyRange> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  packets::CopyRequest in{now->handle(a.from), now->fh(a.from_handle), a.from_offset, now->handle(a.to),
                          now->fh(a.to_handle)};
  in.to_offset = a.to_offset;
  in.length = a.length;
  in.flags = a.flags;
  ask<Opcode::copy>(*now, std::move(c), in, [this](Call<op::CopyRange> call, Result<packets::NumberReply> r) {
    if (!r) return call.fail(r.error());
    if (r->number > call->length) return call.fail(bad_answer());
    call.reply(r->number);
  });
}

void UserfsHost::flush(Call<op::Flush> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::FlushRequest in{now->handle(a.node), now->fh(a.handle), a.lock_owner};
  ask_unit<Opcode::flush>(*now, std::move(c), in);
}

void UserfsHost::release(Call<op::Release> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  packets::CloseRequest in{now->handle(a.node), now->fh(a.handle), a.flags, 0, a.lock_owner};
  in.how = (a.unlock_flock ? 1u : 0u) | (a.delete_on_close ? 2u : 0u);
  forget_open(a.handle);
  // Of an open that nothing is kept of.
  if (in.fh == 0 && in.how == 0 && now->error == Errno{}) return c.reply({});
  ask_unit<Opcode::close>(*now, std::move(c), in);
}

void UserfsHost::fsync(Call<op::Fsync> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::FsyncRequest in{now->handle(a.node), now->fh(a.handle), a.data_only ? 1u : 0u};
  ask_unit<Opcode::fsync>(*now, std::move(c), in);
}

void UserfsHost::fallocate(Call<op::Fallocate> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::FallocateRequest in{now->handle(a.node), now->fh(a.handle), static_cast<uint32_t>(a.mode), a.offset,
                                     a.length};
  ask_unit<Opcode::fallocate>(*now, std::move(c), in);
}

void UserfsHost::seek_hole(Call<op::SeekHole> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::SeekRequest in{now->handle(a.node), now->fh(a.handle), a.offset, static_cast<uint32_t>(a.whence)};
  ask<Opcode::seek>(*now, std::move(c), in, [this](Call<op::SeekHole> call, Result<packets::NumberReply> r) {
    if (!r) return call.fail(r.error());
    if (r->number > INT64_MAX) return call.fail(bad_answer());
    call.reply(r->number);
  });
}

}  // namespace isthmus::userfs_host
