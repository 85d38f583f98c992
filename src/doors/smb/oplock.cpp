#include "doors/smb/oplock.h"

#include <algorithm>

#include "doors/smb/errors.h"
#include "doors/smb/link.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "wire/smb2/oplock.h"

/// Oplocks and leases: what a client may cache (MS-SMB2 sections 3.3.4.6, 3.3.4.7, 3.3.5.9.8, 3.3.5.22).
namespace isthmus::smb {
namespace {

using smb2::NtStatus;
using smb2::OplockLevel;

static_assert(uint8_t{kLeaseRead} == smb2::kLeaseRead && uint8_t{kLeaseHandle} == smb2::kLeaseHandle &&
              uint8_t{kLeaseWrite} == smb2::kLeaseWrite);
using volume::kLeaseAll;

uint8_t bits_of(OplockLevel level) {
  switch (level) {
    case OplockLevel::level2:
      return kLeaseRead;
    case OplockLevel::exclusive:
      return kLeaseRead | kLeaseWrite;
    case OplockLevel::batch:
      return kLeaseAll;
    default:
      return kLeaseNone;
  }
}
OplockLevel level_of(uint8_t bits) {
  if (bits == kLeaseAll) return OplockLevel::batch;
  if (bits == (kLeaseRead | kLeaseWrite)) return OplockLevel::exclusive;
  return bits & kLeaseRead ? OplockLevel::level2 : OplockLevel::none;
}

/// Of what an open may have a lease: a file, or a stream.
NodeId cached_file(const Open& open) { return open.stream ? open.stream->stream->number : open.file->node; }

/// Answers what is held then. An error: the open has ended.
Result<uint8_t> set_lease(Server& server, const Open& open, uint8_t bits) {
  if (!open.cache->name) bits |= volume::kLeaseOplock;
  if (open.stream) return server.streams.opens.lease(cached_file(open), open.stream->handle, bits);
  if (open.file->directory) bits |= volume::kLeaseDirectory;
  return call_and_wait(server.port, op::SetLease{{}, open.file->node, open.handle, bits}, open.ctx);
}

/// The opens of a grant that there are still.
std::vector<std::shared_ptr<Open>> opens_of(const CacheGrant& g) {
  std::vector<std::shared_ptr<Open>> found;
  std::lock_guard lock(g.m);
  for (const auto& w : g.opens)
    if (auto open = w.lock()) found.push_back(std::move(open));
  return found;
}

/// Gives back what is beyond `bits`, or acknowledges a break, through any open of the grant that there is still.
void give_back(Server& server, CacheGrant& g, uint8_t bits) {
  const NodeId node = [&g] {
    std::lock_guard lock(g.m);
    return g.node;
  }();
  for (const auto& open : opens_of(g))
    if ((!g.name || cached_file(*open) == node) && set_lease(server, *open, bits)) return;
}

bool must_answer(const CacheGrant& g) { return (g.bits & (kLeaseWrite | kLeaseHandle)) != 0; }

/// What its client hears of a break, of which told_from, break_to and epoch are set, and has to answer or not. With its
/// mutex held.
Outgoing notification(const CacheGrant& g, const Open& open, bool answers) {
  Outgoing out;
  smb2::Header h;
  h.command = smb2::Command::oplock_break;
  h.flags = smb2::kFlagResponse;
  h.message_id = UINT64_MAX;  // section 3.3.4.6
  smb2::append_header(out.head, h);
  if (g.name) {
    smb2::LeaseBreakNotification m;
    if (g.v2) m.epoch = g.epoch;
    m.flags = answers ? smb2::LeaseBreakNotification::kAckRequired : 0;
    m.key = g.name->second;
    m.current = g.told_from;
    m.next = g.break_to;
    out.body = smb2::write_message(m);
  } else {
    out.body = smb2::write_message(smb2::OplockBreak{level_of(g.break_to), open.id});
  }
  return out;
}

/// False: no connection leads to the client.
bool deliver(Server& server, CacheGrant& g, Outgoing out) {
  const auto told = [&g](const std::shared_ptr<Link>& link) {
    std::lock_guard lock(g.m);
    g.told_on = link;
  };
  // A lease is its client's: its first connection hears of it, unless that would have to seal (section 3.3.4.7).
  if (g.name && server.options.encrypt != Options::Encrypt::required)
    if (const auto first = server.link_of(g.name->first)) {
      told(first);
      first->send_news(std::move(out), nullptr);
      return true;
    }
  for (const auto& open : opens_of(g)) {
    const auto session = open->session_now();
    const auto channel = session ? session->live_channel(open->link_now()) : nullptr;
    const auto link = channel ? channel->link.lock() : nullptr;
    if (!link || link->ended()) continue;
    told(link);
    link->send_news(std::move(out), session->encrypts ? channel : nullptr);
    return true;
  }
  return false;
}

/// `not_breaking`: what is wrong if there is nothing to acknowledge.
NtStatus acknowledge(Server& server, CacheGrant& g, uint8_t bits, NtStatus not_breaking) {
  std::lock_guard one_at_a_time(g.asking_m);
  {
    std::lock_guard lock(g.m);
    if (!g.breaking) return not_breaking;
    if (bits & ~g.break_to) return NtStatus::request_not_accepted;
    g.breaking = false;
    g.told_on.reset();
    g.bits = bits;
    if (!g.name) g.level = level_of(bits);
    g.acknowledging = true;
  }
  give_back(server, g, bits);
  std::lock_guard lock(g.m);
  g.acknowledging = false;
  return NtStatus::success;
}

/// An open of those that still are. Null: none is.
std::shared_ptr<Open> any_open(const std::vector<std::weak_ptr<Open>>& opens) {
  for (const auto& w : opens)
    if (auto open = w.lock(); open && !open->closed) return open;
  return nullptr;
}

CacheWish read_wish(const Request& r, OplockLevel level, const std::vector<smb2::CreateContext>& contexts) {
  CacheWish wish{.level = level, .lease = {}};
  if (wish.level != OplockLevel::lease) return wish;
  wish.level = OplockLevel::none;
  const auto* context = smb2::find_context(contexts, smb2::kContextLease);
  if (!context || !(r.link->agreed.capabilities & smb2::kCapLeasing)) return wish;
  wish.lease = smb2::read_lease(context->data);
  if (!wish.lease) return wish;
  wish.level = OplockLevel::lease;
  if (r.link->agreed.dialect < smb2::Dialect::smb300) {
    wish.lease->v2 = false;
    wish.lease->parent.reset();
  }
  return wish;
}
/// Section 3.3.5.9.11: from 3.0 on, where the client has said that it can, by version 2.
bool may_lease_directories(const Request& r, const CacheWish& wish) {
  return wish.lease && wish.lease->v2 && (r.link->agreed.capabilities & smb2::kCapDirectoryLeasing);
}

}  // namespace

CacheWish cache_wish(const Request& r, OplockLevel level, const std::vector<smb2::CreateContext>& contexts) {
  CacheWish wish = read_wish(r, level, contexts);
  // What comes through an open does not break its own oplock, whichever operation it takes.
  const auto lease = [&](const smb2::Guid& key) {
    return r.server.leases.find_or_make({r.link->agreed.asked.client_guid, key}, r.server.next_key.fetch_add(1));
  };
  wish.grant =
      wish.lease ? lease(wish.lease->key) : std::make_shared<CacheGrant>(r.server.next_key.fetch_add(1), std::nullopt);
  if (wish.lease && wish.lease->parent) wish.parent = lease(*wish.lease->parent);
  return wish;
}

std::shared_ptr<CacheGrant> LeaseTable::find_or_make(const LeaseName& name, uint64_t number) {
  std::lock_guard lock(m_);
  sweep_(all_, [](const auto& lease) { return lease.expired(); });
  auto& place = all_[name];
  auto grant = place.lock();
  if (!grant) {
    grant = std::make_shared<CacheGrant>(number, name);
    place = grant;
  }
  return grant;
}

std::shared_ptr<CacheGrant> LeaseTable::find(const LeaseName& name) const {
  std::lock_guard lock(m_);
  const auto it = all_.find(name);
  return it == all_.end() ? nullptr : it->second.lock();
}

bool is_for(const CacheGrant& grant, NodeId node) {
  if (!grant.name) return true;
  std::lock_guard lock(grant.m);
  return grant.node == NodeId::none || grant.node == node;
}

void ask_for_cache(Request& r, const std::shared_ptr<Open>& open, const CacheWish& wish, bool is_new) {
  CacheGrant& g = *open->cache;
  std::lock_guard one_at_a_time(g.asking_m);
  uint8_t want = wish.lease ? static_cast<uint8_t>(wish.lease->state & kLeaseAll) : bits_of(wish.level);
  const bool directory = open->file->directory && !open->stream;
  if (directory) want &= ~kLeaseWrite;
  // Who only looks at attributes caches nothing, and directories have no oplocks.
  const bool may = open->handle != HandleId::none &&
                   (directory ? may_lease_directories(r, wish) : wish.lease || is_new || open->may_some(~kStatAccess));
  uint8_t had = 0;
  {
    std::lock_guard lock(g.m);
    std::erase_if(g.opens, [](const auto& w) { return w.expired(); });
    g.opens.push_back(open);
    if (!may) return;
    if (wish.lease && g.level != OplockLevel::lease) {  // its first open
      g.node = cached_file(*open);
      g.level = OplockLevel::lease;
      g.v2 = wish.lease->v2;
      g.epoch = wish.lease->epoch;
    }
    had = g.bits;
    // A lease grows if all that it was is asked for again (MS-FSA section 2.1.5.18).
    if (g.breaking || want == had || (want & had) != had) return;
    g.asking = true;
    g.left = kLeaseAll;
  }
  const auto now = [&](uint8_t bits, uint8_t otherwise) {
    const auto held = set_lease(r.server, *open, bits);
    return held ? *held : otherwise;  // the open has ended, others may have what there was
  };
  uint8_t got = now(want, had);
  // An oplock has fewer states than a lease. A lease grows to what was asked for, or stays.
  const uint8_t as = !wish.lease ? bits_of(level_of(got)) : had && got != want ? had : got;
  if (as != got) got = now(as, as);
  std::unique_lock lock(g.m);
  while (got & ~g.left & ~had) {  // taken back before the client has heard of it
    got &= g.left | had;
    if (!wish.lease) got = bits_of(level_of(got));
    const uint8_t bits = got;
    const bool theirs = bits & ~g.left;  // the client has to give that back itself
    lock.unlock();
    got = now(bits, bits) & bits;
    lock.lock();
    if (theirs) break;
  }
  g.asking = false;
  g.told_on.reset();  // it hears by the answer what it has
  const uint8_t left = g.left;
  if (g.name) {
    if (got != had) g.epoch++;
  } else {
    g.level = level_of(got);
  }
  g.bits = got;
  lock.unlock();
  if (got & ~left) send_break(r.server, *open, left);
}

void leave_cache(Open& open) {
  CacheGrant& g = *open.cache;
  std::lock_guard lock(g.m);
  std::erase_if(g.opens, [&](const auto& w) {
    const auto other = w.lock();
    return !other || other.get() == &open;
  });
  if (!g.opens.empty()) return;
  g.node = NodeId::none;
  g.level = OplockLevel::none;
  g.bits = g.break_to = kLeaseNone;
  g.breaking = false;
}

std::pair<OplockLevel, std::optional<smb2::Lease>> answer_cache(const CacheWish& wish) {
  std::lock_guard lock(wish.grant->m);
  const CacheGrant& g = *wish.grant;
  if (g.level != OplockLevel::lease) return {g.level, {}};
  smb2::Lease lease = *wish.lease;
  lease.state = g.bits;
  lease.flags = g.breaking ? smb2::kLeaseBreaking : 0;
  lease.v2 = g.v2;
  lease.epoch = g.epoch;
  if (!g.v2) lease.parent.reset();
  return {g.level, lease};
}

void send_break(Server& server, Open& open, uint8_t bits) {
  CacheGrant& g = *open.cache;
  Outgoing out;
  bool late = false, nothing = false;
  uint8_t held = 0;
  {
    std::lock_guard lock(g.m);
    if (g.asking) {
      g.left &= bits;
      return;
    }
    // An oplock is broken to level 2 or none.
    if (!g.name) bits &= kLeaseRead;
    late = g.breaking;  // not acknowledged in time: all of it is taken
    held = g.bits;
    nothing = !late && (held & ~bits) == 0;
    if (!nothing) {
      g.break_to = bits;
      g.told_from = held;
      if (!g.acknowledging) g.epoch++;  // else this is the next step of one break
      out = notification(g, open, !late && must_answer(g));
      g.breaking = !late && must_answer(g);
      if (!g.breaking) {
        g.bits = bits;
        if (!g.name) g.level = level_of(bits);
      }
    }
  }
  if (nothing) return give_back(server, g, held);
  const bool heard = late && !g.name ? true : deliver(server, g, std::move(out));
  if (heard && !late) return;
  // Nobody is there to ask, or answers (sections 3.3.4.6, 3.3.4.7): the opens end with their connection, durable ones
  // too.
  {
    std::lock_guard lock(g.m);
    g.breaking = false;
    g.bits = kLeaseNone;
    if (!g.name) g.level = OplockLevel::none;
  }
  for (const auto& one : opens_of(g)) server.durables.give_up(*one);
}

void resend_breaks(Server& server, const Link& gone) {
  const auto told_there = [there = gone.weak_from_this()](const CacheGrant& g) {
    return !g.told_on.owner_before(there) && !there.owner_before(g.told_on);
  };
  const auto was_told_there = [&](const Open& open) {
    if (!open.cache) return false;
    std::lock_guard lock(open.cache->m);
    return told_there(*open.cache);
  };
  for (const auto& open : server.files.with(was_told_there)) {
    Outgoing out;
    {
      CacheGrant& g = *open->cache;
      std::lock_guard lock(g.m);
      if (!told_there(g)) continue;  // told again for another open of the same lease
      g.told_on.reset();
      out = notification(g, *open, g.breaking);
    }
    (void)deliver(server, *open->cache, std::move(out));
  }
}

void break_own_level2(Request& r) {
  Open& open = *r.open;
  {
    std::lock_guard lock(open.cache->m);
    if (open.cache->level != OplockLevel::level2) return;
  }
  (void)set_lease(r.server, open, kLeaseNone);
  send_break(r.server, open, kLeaseNone);
}

std::optional<Reply> oplock_break(Request& r) {
  if (const auto m = r.read<smb2::OplockBreak>()) {
    if (!r.find_open(m->file_id) || !r.open->file) return Reply(NtStatus::file_closed);
    CacheGrant& g = *r.open->cache;
    if (g.name) return Reply(NtStatus::invalid_parameter);
    if (m->level != OplockLevel::none && m->level != OplockLevel::level2) return Reply(NtStatus::invalid_parameter);
    const NtStatus done = acknowledge(r.server, g, bits_of(m->level), NtStatus::invalid_oplock_protocol);
    if (done != NtStatus::success) return Reply(done);
    std::lock_guard lock(g.m);
    return Reply(smb2::OplockBreak{g.level, r.open->id});
  }
  const auto m = r.read<smb2::LeaseBreakAck>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  const auto grant = r.server.leases.find({r.link->agreed.asked.client_guid, m->key});
  if (!grant) return Reply(NtStatus::object_name_not_found);
  {
    std::lock_guard lock(grant->m);
    if (!any_open(grant->opens)) return Reply(NtStatus::object_name_not_found);
  }
  const NtStatus done =
      acknowledge(r.server, *grant, static_cast<uint8_t>(m->state & kLeaseAll), NtStatus::unsuccessful);
  if (done != NtStatus::success) return Reply(done);
  return Reply(smb2::LeaseBreakResponse{.flags = 0, .key = m->key, .state = m->state});
}

}  // namespace isthmus::smb
