/// Folders and queries.
#include <algorithm>

#include "providers/userfs_host/ask.h"

namespace isthmus::userfs_host {

using wire::userfs::valid_name;

void UserfsHost::open_dir(Call<op::OpenDir> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::OpendirRequest in{now->handle(a.node), a.flags};
  ask_opened<Opcode::opendir>(*now, std::move(c), in, Kind::folder);
}

void UserfsHost::release_dir(Call<op::ReleaseDir> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::FhRequest in{now->handle(a.node), now->fh(a.handle)};
  forget_open(a.handle);
  if (in.fh == 0 && now->error == Errno{}) return c.reply({});
  ask_unit<Opcode::closedir>(*now, std::move(c), in);
}

void UserfsHost::fsync_dir(Call<op::FsyncDir> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::FsyncRequest in{now->handle(a.node), now->fh(a.handle), a.data_only ? 1u : 0u};
  ask_unit<Opcode::fsyncdir>(*now, std::move(c), in);
}

/// Asks for one block of entries after the other, until the sink is full or there are no more.
class UserfsHost::Listing {
 public:
  static void go_on(UserfsHost& host, Now now, Call<op::ReadDir> c, uint64_t cookie) {
    const auto& a = *c;
    const bool plus = host.supports(Opcode::readdirplus) && (a.with_attr || !host.supports(Opcode::readdir));
    packets::ReaddirRequest in{now.handle(a.node), now.fh(a.handle), cookie};
    constexpr size_t kPlus = 7;  // an entry with attributes is about so many times as long
    in.most = static_cast<uint32_t>(std::clamp<size_t>(a.sink->room() * (plus ? kPlus : 1), 4096, host.most_data()));
    if (plus)
      host.ask<Opcode::readdirplus>(now, std::move(c), in, Pass<packets::DirEntryPlus>{host, now, cookie},
                                    [&host, now](const packets::ReaddirplusReply& late) {
                                      for (auto& e : late.entries) host.give_back(now, e.with.handle);
                                    });
    else
      host.ask<Opcode::readdir>(now, std::move(c), in, Pass<packets::DirEntry>{host, now, cookie});
  }

 private:
  template <class E>
  struct Pass {
    UserfsHost& host;
    Now now;
    uint64_t cookie;

    void operator()(Call<op::ReadDir> call, Result<packets::ListReply<E>> r) {
      if (!r && r.error() == err(ENOSYS) && std::is_same_v<E, packets::DirEntryPlus> &&
          host.supports(Opcode::readdir)) {
        host.supported_ &= ~(uint64_t{1} << static_cast<uint32_t>(Opcode::readdirplus));
        return go_on(host, std::move(now), std::move(call), cookie);
      }
      if (!r) return call.fail(r.error());
      const uint64_t before = cookie;
      bool full = false;
      for (const E& e : r->entries) {
        const auto& d = entry_of(e);
        if (d.next == 0) return call.fail(host.bad_answer());
        full = full || !add(*call, d, with_of(e));
        if (full) {
          if (const auto* w = with_of(e)) host.give_back(now, w->handle);
        } else {
          cookie = d.next;
        }
      }
      if (full || cookie == before) return call.reply({});
      go_on(host, std::move(now), std::move(call), cookie);
    }

   private:
    static const packets::DirEntry& entry_of(const packets::DirEntry& e) { return e; }
    static const packets::DirEntry& entry_of(const packets::DirEntryPlus& e) { return e.entry; }
    static const packets::Entry* with_of(const packets::DirEntry&) { return nullptr; }
    static const packets::Entry* with_of(const packets::DirEntryPlus& e) {
      return e.with.handle != 0 ? &e.with : nullptr;
    }

    /// False: the sink is full.
    bool add(const op::ReadDir& a, const packets::DirEntry& d, const packets::Entry* with) {
      const bool dots = d.name == "." || d.name == "..";
      if (!valid_name(d.name)) {
        host.bad_names_++;
        if (with) host.give_back(now, with->handle);
        return true;
      }
      DirEntry e{.ino = d.ino, .cookie = d.next, .type = d.type & 15, .name = d.name};
      if (!with || dots) {
        if (with) host.give_back(now, with->handle);
        return a.sink->add(e);
      }
      const auto entry = host.entry_of(now, *with);
      if (!entry) return a.sink->add(e);
      e.with = &*entry;
      return a.sink->add(e);
    }
  };
};

void UserfsHost::read_dir(Call<op::ReadDir> c) {
  const uint64_t cookie = c->cookie;
  auto now = present(c);
  if (!now) return;
  if (!supports(Opcode::readdir) && !supports(Opcode::readdirplus)) return drop_to_default(std::move(c));
  Listing::go_on(*this, std::move(*now), std::move(c), cookie);
}

void UserfsHost::open_query(Call<op::OpenQuery> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::QueryRequest in{a.predicate, a.live ? 1u : 0u};
  ask_opened<Opcode::openquery>(*now, std::move(c), in, Kind::query);
}

void UserfsHost::read_query(Call<op::ReadQuery> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  packets::ReadqueryRequest in{now->fh(a.handle)};
  in.most = static_cast<uint32_t>(std::clamp<size_t>(a.sink->room(), 4096, most_data()));
  ask<Opcode::readquery>(*now, std::move(c), in, [this](Call<op::ReadQuery> call, Result<packets::ReaddirReply> r) {
    if (!r) return call.fail(r.error());
    for (auto& d : r->entries) {
      if (!valid_name(d.name)) {
        bad_names_++;
        continue;
      }
      if (!call->sink->add({.ino = d.ino, .cookie = d.next, .type = d.type & 15, .name = d.name})) break;
    }
    call.reply({});
  });
}

}  // namespace isthmus::userfs_host
