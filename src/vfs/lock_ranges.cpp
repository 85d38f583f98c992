#include "vfs/lock_ranges.h"

#include <algorithm>

namespace isthmus {
namespace {

bool excludes(const Lock& held, const Lock& want) {
  return held.owner != want.owner && held.start <= want.end && want.start <= held.end &&
         (held.type == LockType::exclusive || want.type == LockType::exclusive);
}

}  // namespace

const LockRanges::Held* LockRanges::conflict(const Lock& want) const {
  for (auto& h : held_) {
    if (h.lock.start > want.end) break;
    if (excludes(h.lock, want)) return &h;
  }
  return nullptr;
}

void LockRanges::blockers(const Lock& want, std::vector<uint64_t>& owners) const {
  for (auto& h : held_)
    if (excludes(h.lock, want)) owners.push_back(h.lock.owner);
}

ptrdiff_t LockRanges::set(const Lock& want, HandleId handle) {
  std::vector<Held> next;
  next.reserve(held_.size() + 2);
  Held mine{want, handle};
  for (auto& h : held_) {
    const Lock& l = h.lock;
    bool same = l.owner == want.owner && l.type == want.type;
    // Ranges of the same type that overlap or touch become part of the new one. (No overflow: ends are below 2^63.)
    if (same && l.start <= want.end + 1 && want.start <= l.end + 1) {
      mine.lock.start = std::min(mine.lock.start, l.start);
      mine.lock.end = std::max(mine.lock.end, l.end);
      continue;
    }
    if (l.owner != want.owner || l.end < want.start || want.end < l.start) {
      next.push_back(h);
      continue;
    }
    if (l.start < want.start) {
      next.push_back(h);
      next.back().lock.end = want.start - 1;
    }
    if (want.end < l.end) {
      next.push_back(h);
      next.back().lock.start = want.end + 1;
    }
  }
  if (want.type != LockType::unlock) next.push_back(mine);
  std::stable_sort(next.begin(), next.end(), [](const Held& a, const Held& b) { return a.lock.start < b.lock.start; });
  auto grown = static_cast<ptrdiff_t>(next.size()) - static_cast<ptrdiff_t>(held_.size());
  held_.swap(next);
  return grown;
}

size_t LockRanges::remove_owner(uint64_t owner) {
  return std::erase_if(held_, [owner](const Held& h) { return h.lock.owner == owner; });
}
size_t LockRanges::remove_handle(HandleId handle) {
  return std::erase_if(held_, [handle](const Held& h) { return h.handle == handle; });
}

}  // namespace isthmus
