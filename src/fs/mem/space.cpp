#include "fs/mem/space.h"

#include <mutex>

#include "base/thread_number.h"

namespace isthmus::fs::mem {
namespace {

constexpr uint64_t kNoLimit = uint64_t{1} << 62;
uint64_t limit(uint64_t n) { return n && n < kNoLimit ? n : kNoLimit; }

bool fits(const Limits& in, uint64_t bytes, uint64_t inodes) { return bytes <= in.bytes && inodes <= in.inodes; }
void subtract(Limits& from, uint64_t bytes, uint64_t inodes) {
  from.bytes -= bytes;
  from.inodes -= inodes;
}
void add(Limits& to, uint64_t bytes, uint64_t inodes) {
  to.bytes += bytes;
  to.inodes += inodes;
}

}  // namespace

Account::Account(Limits limits) : limits_(limits), left_{limit(limits.bytes), limit(limits.inodes)} {}

bool Account::take(uint64_t bytes, uint64_t inodes) {
  Share& s = shares_[thread_number() % kShares];
  {
    std::lock_guard lock(s.m);
    if (fits(s.free, bytes, inodes) || fill(s, bytes, inodes)) {
      subtract(s.free, bytes, inodes);
      return true;
    }
  }
  return take_exactly(bytes, inodes);
}

// A step more than is asked for, so that the next ones need not ask. False near a limit.
bool Account::fill(Share& s, uint64_t bytes, uint64_t inodes) {
  if (bytes > kNoLimit) return false;
  uint64_t b = bytes > s.free.bytes ? bytes - s.free.bytes + kStepBytes : 0;
  uint64_t i = inodes > s.free.inodes ? inodes - s.free.inodes + kStepInodes : 0;
  std::lock_guard lock(m_);
  if (!fits(left_, b, i)) return false;
  subtract(left_, b, i);
  add(s.free, b, i);
  return true;
}

// With all shares locked, nothing is on its way from one to another.
bool Account::take_exactly(uint64_t bytes, uint64_t inodes) {
  for (auto& s : shares_) s.m.lock();
  bool done = false;
  {
    std::lock_guard lock(m_);
    for (auto& s : shares_) {
      add(left_, s.free.bytes, s.free.inodes);
      s.free = {};
    }
    done = fits(left_, bytes, inodes);
    if (done) subtract(left_, bytes, inodes);
  }
  for (auto& s : shares_) s.m.unlock();
  return done;
}

void Account::give(uint64_t bytes, uint64_t inodes) {
  Share& s = shares_[thread_number() % kShares];
  std::lock_guard lock(s.m);
  add(s.free, bytes, inodes);
  if (s.free.bytes <= 2 * kStepBytes && s.free.inodes <= 2 * kStepInodes) return;
  // A thread that frees what others made does not hoard it.
  uint64_t b = s.free.bytes > kStepBytes ? s.free.bytes - kStepBytes : 0;
  uint64_t i = s.free.inodes > kStepInodes ? s.free.inodes - kStepInodes : 0;
  std::lock_guard whole(m_);
  subtract(s.free, b, i);
  add(left_, b, i);
}

Limits Account::used() const {
  for (auto& s : shares_) s.m.lock();
  Limits free;
  {
    std::lock_guard lock(m_);
    free = left_;
  }
  for (auto& s : shares_) {
    add(free, s.free.bytes, s.free.inodes);
    s.m.unlock();
  }
  return {limit(limits_.bytes) - free.bytes, limit(limits_.inodes) - free.inodes};
}

Space::Space(Limits all, const std::map<uint32_t, Limits>& quotas) : all_(all) {
  for (auto& [uid, limits] : quotas) quotas_.try_emplace(uid, limits);
}

Status Space::take(uint32_t uid, uint64_t bytes, uint64_t inodes) {
  if (bytes == 0 && inodes == 0) return Unit{};
  if (!all_.take(bytes, inodes)) return err(ENOSPC);
  Account* q = quota(uid);
  if (!q || q->take(bytes, inodes)) return Unit{};
  all_.give(bytes, inodes);
  return err(EDQUOT);
}

void Space::give(uint32_t uid, uint64_t bytes, uint64_t inodes) {
  if (bytes == 0 && inodes == 0) return;
  all_.give(bytes, inodes);
  if (Account* q = quota(uid)) q->give(bytes, inodes);
}

Status Space::move(uint32_t from, uint32_t to, uint64_t bytes, uint64_t inodes) {
  if (from == to) return Unit{};
  Account *a = quota(from), *b = quota(to);
  if (b && !b->take(bytes, inodes)) return err(EDQUOT);
  if (a) a->give(bytes, inodes);
  return Unit{};
}

}  // namespace isthmus::fs::mem
