#include "fs/mem/space.h"

namespace isthmus::fs::mem {
namespace {

bool add(std::atomic<uint64_t>& n, uint64_t more, uint64_t limit) {
  if (!limit) {
    n.fetch_add(more, std::memory_order_relaxed);
    return true;
  }
  uint64_t have = n.load(std::memory_order_relaxed);
  do {
    if (more > limit || have > limit - more) return more == 0;
  } while (!n.compare_exchange_weak(have, have + more, std::memory_order_relaxed));
  return true;
}

}  // namespace

Space::Space(Limits all, const std::map<uint32_t, Limits>& quotas) {
  all_.limits = all;
  for (auto& [uid, limits] : quotas) quotas_[uid].limits = limits;
}

bool Space::Account::take(uint64_t b, uint64_t i) {
  if (!add(bytes, b, limits.bytes)) return false;
  if (add(inodes, i, limits.inodes)) return true;
  bytes.fetch_sub(b, std::memory_order_relaxed);
  return false;
}

void Space::Account::give(uint64_t b, uint64_t i) {
  bytes.fetch_sub(b, std::memory_order_relaxed);
  inodes.fetch_sub(i, std::memory_order_relaxed);
}

Status Space::take(uint32_t uid, uint64_t bytes, uint64_t inodes) {
  if (!all_.take(bytes, inodes)) return err(ENOSPC);
  Account* q = quota(uid);
  if (!q || q->take(bytes, inodes)) return Unit{};
  all_.give(bytes, inodes);
  return err(EDQUOT);
}

void Space::give(uint32_t uid, uint64_t bytes, uint64_t inodes) {
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
