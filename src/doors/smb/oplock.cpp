#include "doors/smb/oplock.h"

#include <algorithm>
#include <functional>

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
constexpr uint8_t kAll = kLeaseRead | kLeaseHandle | kLeaseWrite;

uint8_t bits_of(OplockLevel level) {
  switch (level) {
    case OplockLevel::level2:
      return kLeaseRead;
    case OplockLevel::exclusive:
      return kLeaseRead | kLeaseWrite;
    case OplockLevel::batch:
      return kAll;
    default:
      return kLeaseNone;
  }
}
OplockLevel level_of(uint8_t bits) {
  if (bits == kAll) return OplockLevel::batch;
  if (bits == (kLeaseRead | kLeaseWrite)) return OplockLevel::exclusive;
  return bits & kLeaseRead ? OplockLevel::level2 : OplockLevel::none;
}

uint8_t set_lease(FileSystem& fs, const Open& open, uint8_t bits) {
  const auto granted = call_and_wait(fs, op::SetLease{{}, open.file->node, open.handle, bits}, open.ctx);
  return granted ? *granted : uint8_t{kLeaseNone};
}

/// The header of a notification (section 3.3.4.6).
smb2::Header notification() {
  smb2::Header h;
  h.command = smb2::Command::oplock_break;
  h.flags = smb2::kFlagResponse;
  h.message_id = UINT64_MAX;
  return h;
}

Reply acknowledge(Request& r, Open& open, uint8_t bits) {
  {
    std::lock_guard lock(open.m);
    if (!open.breaking) return NtStatus::invalid_oplock_protocol;
    if (bits & ~open.break_to) return NtStatus::request_not_accepted;
    open.breaking = false;
  }
  const uint8_t now = set_lease(r.server.port, open, bits);
  std::lock_guard lock(open.m);
  open.lease_bits = now;
  if (!open.lease_key) open.oplock = level_of(now);
  return NtStatus::success;
}

}  // namespace

CacheWish cache_wish(const Request& r, const smb2::CreateRequest& m, const std::vector<smb2::CreateContext>& contexts) {
  CacheWish wish{.level = m.oplock, .lease = {}};
  if (wish.level != OplockLevel::lease) return wish;
  wish.level = OplockLevel::none;
  const auto* context = smb2::find_context(contexts, smb2::kContextLease);
  if (!context || !(r.link->agreed.capabilities & smb2::kCapLeasing)) return wish;
  wish.lease = smb2::read_lease(context->data);
  if (wish.lease) wish.level = OplockLevel::lease;
  return wish;
}

uint64_t lease_number(const Request& r, const smb2::Guid& key) {
  const std::string text = std::string(as_text(r.link->agreed.asked.client_guid)) + std::string(as_text(key));
  const uint64_t number = std::hash<std::string>{}(text);
  return number ? number : 1;
}

void ask_for_cache(Request& r, Open& open, const CacheWish& wish) {
  if (open.handle == HandleId::none || open.file->directory || open.stream) return;
  if (!wish.lease && !open.may_some(~kStatAccess)) return;  // who has no data open caches none
  uint8_t want = wish.lease ? static_cast<uint8_t>(wish.lease->state & kAll) : bits_of(wish.level);
  if (want == kLeaseNone && !wish.lease) return;
  {
    std::lock_guard lock(open.m);
    open.asking = true;
    open.left = kAll;
  }
  uint8_t got = want ? set_lease(r.server.port, open, want) : uint8_t{kLeaseNone};
  // An oplock has fewer states than a lease.
  if (!wish.lease)
    if (const uint8_t as = bits_of(level_of(got)); as != got) got = set_lease(r.server.port, open, as);
  std::unique_lock lock(open.m);
  while (got & ~open.left) {  // taken back before the client has heard of it
    got = bits_of(level_of(got & open.left));
    lock.unlock();
    got = set_lease(r.server.port, open, got);
    lock.lock();
  }
  open.asking = false;
  open.lease_bits = got;
  if (!wish.lease) {
    open.oplock = level_of(got);
    return;
  }
  open.oplock = OplockLevel::lease;
  open.lease_key = wish.lease->key;
  open.lease_v2 = wish.lease->v2;
  open.epoch = static_cast<uint16_t>(wish.lease->epoch + 1);
}

void send_break(Server& server, Open& open, uint8_t bits) {
  const auto session = open.session.lock();
  const auto channel = session ? session->live_channel(open.link) : nullptr;
  const auto link = channel ? channel->link.lock() : nullptr;
  Outgoing out;
  bool must_answer = false;
  {
    std::lock_guard lock(open.m);
    if (open.asking) {
      open.left &= bits;
      return;
    }
    if (open.lease_bits == kLeaseNone && !open.breaking) return;
    must_answer = (open.lease_bits & (kLeaseWrite | kLeaseHandle)) != 0;
    smb2::append_header(out.head, notification());
    if (open.lease_key) {
      smb2::LeaseBreakNotification m;
      if (open.lease_v2) m.epoch = ++open.epoch;
      m.flags = must_answer ? smb2::LeaseBreakNotification::kAckRequired : 0;
      m.key = *open.lease_key;
      m.current = open.lease_bits;
      m.next = bits;
      out.body = smb2::write_message(m);
    } else {
      bits = bits_of(level_of(bits & (kLeaseRead | kLeaseWrite)));
      if (bits & kLeaseWrite) bits = kLeaseRead;  // an oplock is broken to level 2 or none
      out.body = smb2::write_message(smb2::OplockBreak{level_of(bits), open.id});
    }
    open.break_to = bits;
    open.breaking = must_answer;
    if (!must_answer) {
      open.lease_bits = bits;
      if (!open.lease_key) open.oplock = level_of(bits);
    }
  }
  if (!link) {
    set_lease(server.port, open, kLeaseNone);
    return;
  }
  link->send_news(std::move(out), session->encrypts ? channel : nullptr);
}

void resend_breaks(Server& server, const Session& session) {
  for (const auto& open : server.files.of_session(session.id)) {
    uint8_t bits = 0;
    {
      std::lock_guard lock(open->m);
      if (!open->breaking) continue;
      bits = open->break_to;
    }
    send_break(server, *open, bits);
  }
}

void break_own_level2(Request& r) {
  Open& open = *r.open;
  {
    std::lock_guard lock(open.m);
    if (open.lease_key || open.oplock != OplockLevel::level2) return;
  }
  set_lease(r.server.port, open, kLeaseNone);
  send_break(r.server, open, kLeaseNone);
}

std::optional<Reply> oplock_break(Request& r) {
  if (const auto m = r.read<smb2::OplockBreak>()) {
    if (!r.find_open(m->file_id) || !r.open->file) return Reply(NtStatus::file_closed);
    if (r.open->lease_key) return Reply(NtStatus::invalid_parameter);
    if (m->level != OplockLevel::none && m->level != OplockLevel::level2) return Reply(NtStatus::invalid_parameter);
    Reply done = acknowledge(r, *r.open, bits_of(m->level));
    if (smb2::is_error(done.status)) return done;
    std::lock_guard lock(r.open->m);
    return Reply(smb2::OplockBreak{r.open->oplock, r.open->id});
  }
  const auto m = r.read<smb2::LeaseBreakAck>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  for (const auto& open : r.server.files.of_session(r.session->id)) {
    {
      std::lock_guard lock(open->m);
      if (open->lease_key != m->key || !open->breaking) continue;
    }
    Reply done = acknowledge(r, *open, static_cast<uint8_t>(m->state & kAll));
    if (smb2::is_error(done.status)) return done;
    return Reply(smb2::LeaseBreakResponse{.flags = 0, .key = m->key, .state = m->state});
  }
  return Reply(NtStatus::object_name_not_found);
}

}  // namespace isthmus::smb
