#include "doors/smb/locks.h"

#include <algorithm>

#include "doors/smb/errors.h"
#include "doors/smb/oplock.h"
#include "doors/smb/request.h"
#include "doors/smb/sequence.h"
#include "doors/smb/server.h"
#include "vfs/then.h"
#include "wire/smb2/io.h"
#include "wire/smb2/session.h"

/// LOCK (MS-SMB2 section 3.3.5.14, MS-FSA section 2.1.5.7).
namespace isthmus::smb {
namespace {

using smb2::LockElement;
using smb2::NtStatus;

constexpr size_t kMostLocks = 8192;  // of one file

/// The last byte; a length that leads past the end of numbers ends there.
uint64_t last_byte(uint64_t offset, uint64_t length) {
  return length - 1 > UINT64_MAX - offset ? UINT64_MAX : offset + length - 1;
}

/// Ranges of no bytes meet those that they lie inside of.
bool overlap(uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length) {
  if (a_length == 0 && b_length == 0) return false;
  if (a_length == 0) return a > b && a <= last_byte(b, b_length);
  if (b_length == 0) return b > a && b <= last_byte(a, a_length);
  return a <= last_byte(b, b_length) && b <= last_byte(a, a_length);
}

/// The volume's lock of a range: owners are never the same, so nothing is joined. Only what a POSIX lock can be.
std::optional<Lock> volume_lock(const RangeLock& l, LockType type) {
  if (l.owner == 0 || l.length == 0 || l.offset > INT64_MAX) return {};
  Lock lock;
  lock.owner = l.owner;
  lock.start = l.offset;
  lock.end = std::min<uint64_t>(last_byte(l.offset, l.length), kLockEof);
  lock.type = type;
  return lock;
}

op::SetLock set_lock(const Open& open, const Lock& lock, bool wait) {
  op::SetLock set;
  set.node = open.file->node;
  set.handle = open.handle;
  set.lock = lock;
  set.wait = wait;
  return set;
}

std::atomic<uint64_t> next_owner{1};

/// Puts a lock into the list, whose mutex is held, unless one is in the way.
bool try_lock(RangeLocks& locks, RangeLock& l) {
  bool on_top = false;
  for (const RangeLock& other : locks.all) {
    if (!(l.exclusive || other.exclusive) || !overlap(l.offset, l.length, other.offset, other.length)) continue;
    // A shared lock on top of one's own exclusive one is allowed; others see the exclusive one.
    if (l.exclusive || other.open != l.open) return false;
    on_top = true;
  }
  if (on_top) l.owner = 0;
  locks.all.push_back(l);
  return true;
}

bool add_lock(const Open& open, RangeLock& l, bool& too_many) {
  RangeLocks& locks = open.range_locks();
  std::lock_guard lock(locks.m);
  too_many = locks.all.size() >= kMostLocks || open.closed.load();
  return !too_many && try_lock(locks, l);
}

/// Those who wait get what has become free, in their order.
void wake(RangeLocks& locks) {
  while (true) {
    std::shared_ptr<Request> who;
    {
      std::lock_guard lock(locks.m);
      const auto it = std::find_if(locks.waiting.begin(), locks.waiting.end(),
                                   [&](RangeLocks::Waiting& w) { return try_lock(locks, w.lock); });
      if (it == locks.waiting.end()) return;
      who = std::move(it->request);
      locks.waiting.erase(it);
    }
    who->cancel->clear();
    who->finish(smb2::EmptyMessage{});
  }
}

bool has_lock(RangeLocks& locks, const RangeLock& l) {
  std::lock_guard lock(locks.m);
  return std::find(locks.all.begin(), locks.all.end(), l) != locks.all.end();
}

void drop_lock(RangeLocks& locks, const RangeLock& gone) {
  std::lock_guard lock(locks.m);
  const auto it = std::find(locks.all.begin(), locks.all.end(), gone);
  if (it != locks.all.end()) locks.all.erase(it);
}

/// Without waiting.
NtStatus lock_now(Request& r, RangeLock& l) {
  bool too_many = false;
  RangeLocks& locks = r.open->range_locks();
  if (!add_lock(*r.open, l, too_many)) return too_many ? NtStatus::insufficient_resources : NtStatus::lock_not_granted;
  const auto lock = volume_lock(l, l.exclusive ? LockType::exclusive : LockType::shared);
  if (!lock) return NtStatus::success;
  const Status done = r.call(set_lock(*r.open, *lock, false));
  if (done && has_lock(locks, l)) return NtStatus::success;
  if (done) {  // the open has ended meanwhile
    unlock_range(r.server, *r.open, l);
    return NtStatus::range_not_locked;
  }
  drop_lock(locks, l);
  return status_of(done.error());
}

/// Remembers that a request of an open waits, so that it ends with it. False: it has ended.
bool note_waiting(Request& r) {
  std::lock_guard guard(r.open->m);
  if (r.open->closed.load()) return false;
  auto& all = r.open->waiting_locks;
  std::erase_if(all, [](const auto& w) { return w.expired(); });
  all.push_back(r.weak_from_this());
  return true;
}

/// Waits here for a range that the volume has no lock of: of a stream, of no bytes, or beyond 2^63.
void wait_here(Request& r, const RangeLock& l) {
  RangeLocks& locks = r.open->range_locks();
  {
    std::lock_guard lock(locks.m);
    if (locks.waiting.size() >= kMostLocks) return r.finish(NtStatus::insufficient_resources);
    locks.waiting.push_back({l, r.shared_from_this()});
  }
  r.cancel->on_request([weak = r.weak_from_this()] {
    const auto request = weak.lock();
    if (!request) return;
    RangeLocks& all = request->open->range_locks();
    {
      std::lock_guard lock(all.m);
      if (std::erase_if(all.waiting, [&](const auto& w) { return w.request == request; }) == 0) return;
    }
    request->finish(request->open->closed.load() ? NtStatus::range_not_locked : NtStatus::cancelled);
  });
  if (!note_waiting(r)) r.cancel->request();
  wake(locks);  // what was in the way may have gone meanwhile
}

/// Waits in the volume's queue, which knows of other doors' locks, too. The list gets it afterwards.
void lock_later(Request& r, RangeLock l, LockSequence sequence) {
  const auto lock = volume_lock(l, l.exclusive ? LockType::exclusive : LockType::shared);
  const auto self = r.shared_from_this();
  if (!lock) return wait_here(r, l);
  if (!note_waiting(r)) return self->finish(NtStatus::range_not_locked);
  call_then(
      r.files(), r.ctx, set_lock(*r.open, *lock, true), [self, l, sequence = std::move(sequence)](Status done) mutable {
        if (!done) {
          const bool closed = self->open->closed.load() && done.error() == err(EINTR);
          return self->finish(closed ? NtStatus::range_not_locked : status_of(done.error()));
        }
        bool too_many = false;
        if (!add_lock(*self->open, l, too_many)) {
          unlock_range(self->server, *self->open, l);
          return self->finish(self->open->closed.load() ? NtStatus::range_not_locked : NtStatus::lock_not_granted);
        }
        break_own_level2(*self);
        sequence.done();
        self->finish(smb2::EmptyMessage{});
      });
}

NtStatus unlock(Request& r, const LockElement& e) {
  RangeLocks& locks = r.open->range_locks();
  RangeLock found;
  {
    std::lock_guard lock(locks.m);
    const auto it = std::find_if(locks.all.begin(), locks.all.end(), [&](const RangeLock& l) {
      return l.open == r.open->id.temporary && l.offset == e.offset && l.length == e.length;
    });
    if (it == locks.all.end()) return NtStatus::range_not_locked;
    found = *it;
    locks.all.erase(it);
  }
  unlock_range(r.server, *r.open, found);
  return NtStatus::success;
}

}  // namespace

bool is_locked(const Open& open, uint64_t offset, uint64_t length, bool write) {
  if (length == 0) return false;
  RangeLocks& locks = open.range_locks();
  std::lock_guard lock(locks.m);
  return std::any_of(locks.all.begin(), locks.all.end(), [&](const RangeLock& l) {
    if (!overlap(offset, length, l.offset, l.length) || l.length == 0) return false;
    return l.exclusive ? l.open != open.id.temporary : write;
  });
}

void unlock_range(Server& server, const Open& open, const RangeLock& l) {
  wake(open.range_locks());
  const auto lock = volume_lock(l, LockType::unlock);
  if (!lock) return;
  op::SetLock set = set_lock(open, *lock, false);
  const Status done = call_and_wait(server.port, set, open.ctx);
  if (done || done.code() != EBADF) return;
  set.handle = HandleId::none;  // the open has ended first
  (void)call_and_wait(server.port, set, open.ctx);
}

std::optional<Reply> lock(Request& r) {
  const auto m = r.read<smb2::LockRequest>();
  if (!m || m->locks.empty()) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  if (!has_data(*r.open)) return Reply(NtStatus::invalid_device_request);
  LockSequence sequence(r, m->sequence);
  if (sequence.is_done()) return Reply(smb2::EmptyMessage{});
  const bool unlocks = m->locks.front().flags & LockElement::kUnlock;
  std::vector<RangeLock> taken;
  auto undo = [&](NtStatus why) {
    for (const RangeLock& l : taken) {
      drop_lock(r.open->range_locks(), l);
      unlock_range(r.server, *r.open, l);
    }
    return Reply(why);
  };
  if (r.open->stream && !unlocks)
    if (const NtStatus s = break_stream_leases(r, volume::Use::lock); s != NtStatus::success) return Reply(s);
  for (const LockElement& e : m->locks) {
    if (unlocks) {
      if (e.flags != LockElement::kUnlock) return Reply(NtStatus::invalid_parameter);
      if (const NtStatus s = unlock(r, e); s != NtStatus::success) return Reply(s);
      continue;
    }
    const uint32_t kind = e.flags & ~LockElement::kFailImmediately;
    if (kind != LockElement::kShared && kind != LockElement::kExclusive) return undo(NtStatus::invalid_parameter);
    const bool waits = !(e.flags & LockElement::kFailImmediately);
    if (waits && m->locks.size() > 1) return undo(NtStatus::invalid_parameter);
    if (e.length > 0 && e.length - 1 > UINT64_MAX - e.offset) return undo(NtStatus::invalid_lock_range);
    RangeLock l{r.open->id.temporary, e.offset, e.length, kind == LockElement::kExclusive,
                // Other doors have no locks of streams.
                r.open->stream ? 0 : next_owner.fetch_add(1, std::memory_order_relaxed)};
    const NtStatus s = lock_now(r, l);
    if (s == NtStatus::lock_not_granted && waits && r.last) {
      lock_later(r, l, std::move(sequence));
      return {};
    }
    if (s != NtStatus::success) return undo(s);
    taken.push_back(l);
  }
  if (!unlocks) break_own_level2(r);
  sequence.done();
  return Reply(smb2::EmptyMessage{});
}

}  // namespace isthmus::smb
