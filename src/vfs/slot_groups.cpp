#include "vfs/slot_groups.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "base/thread_number.h"

namespace isthmus {
namespace {

constexpr size_t kSystemPage = 4096;

// Zeroed, and untouched as long as it is big: one piece of fresh memory from the system.
template <class T>
T* zeroed(size_t n) {
  void* p = std::calloc(n, sizeof(T));
  if (!p) throw std::bad_alloc();
  return static_cast<T*>(p);
}

// The content becomes zero. What shares a system page with a neighbour stays.
void drop_memory(std::byte* begin, size_t length) {
  auto at = reinterpret_cast<uintptr_t>(begin);
  size_t head = (kSystemPage - at % kSystemPage) % kSystemPage;
  if (length < head + kSystemPage) return;
  ::madvise(begin + head, (length - head) / kSystemPage * kSystemPage, MADV_DONTNEED);
}

}  // namespace

SlotGroups::~SlotGroups() {
  for (auto& c : chunks_) {
    std::free(c.slots.load(std::memory_order_relaxed));
    delete[] c.groups;
  }
}

void SlotGroups::enlist(Shard& s, Group& g) {
  g.prev = nullptr;
  g.next = s.partial;
  if (s.partial) s.partial->prev = &g;
  s.partial = &g;
}

void SlotGroups::delist(Shard& s, Group& g) {
  (g.prev ? g.prev->next : s.partial) = g.next;
  if (g.next) g.next->prev = g.prev;
}

SlotGroups::Group* SlotGroups::new_group() {
  std::lock_guard lock(m_);
  if (!unused_.empty()) {
    Group* g = unused_.back();
    unused_.pop_back();
    return g;
  }
  if (groups_ == UINT32_MAX / kGroup) throw std::bad_alloc();
  uint32_t index = groups_ * kGroup;
  auto [number, at] = place(index);
  Chunk& chunk = chunks_[number];
  if (!chunk.groups) {
    size_t slots = size_t{kFirst} << number;
    // Room for all its groups, so that giving memory back never fails.
    unused_.reserve(groups_ + slots / kGroup);
    chunk.groups = new Group[slots / kGroup];
  }
  if (!chunk.slots.load(std::memory_order_relaxed))
    chunk.slots.store(zeroed<std::byte>((size_t{kFirst} << number) * size_), std::memory_order_release);
  Group* g = &chunk.groups[at / kGroup];
  g->first = index;
  if (index == 0) g->fresh = g->used = 1;  // number 0 is nobody's, for ever
  groups_++;
  return g;
}

SlotGroups::Taken SlotGroups::take() {
  Shard& s = shards_[thread_number() % kShards];
  std::lock_guard lock(s.m);
  if (!s.partial) {
    Group* g = std::exchange(s.spare, nullptr);
    if (!g) {
      g = new_group();
      g->shard = &s;
    }
    enlist(s, *g);
  }
  Group& g = *s.partial;
  uint32_t at = g.fresh;
  std::byte* slot = nullptr;
  if (g.free) {
    at = g.free - 1;
    slot = find(g.first + at);
    g.free = link(slot);
  } else {
    slot = find(g.first + at);
    g.fresh++;
  }
  if (++g.used == kGroup) delist(s, g);
  s.live++;
  return {g.first + at, g.generation, slot};
}

void SlotGroups::give(uint32_t index) noexcept {
  Group& g = group(index / kGroup);
  Shard& s = *g.shard;  // constant while somebody uses one of its slots
  Group* unused = nullptr;
  {
    std::lock_guard lock(s.m);
    s.live--;
    uint32_t at = index - g.first;
    link(find(index)) = g.free;
    g.free = at + 1;
    g.generation++;
    if (g.used-- == kGroup) enlist(s, g);
    if (g.used) return;
    delist(s, g);
    if (!s.spare)
      s.spare = &g;
    else
      unused = &g;
  }
  if (unused) retire(*unused);
}

// Nobody knows the group but the caller.
void SlotGroups::retire(Group& g) noexcept {
  drop_memory(find(g.first), kGroup * size_);
  g.free = g.fresh = 0;
  std::lock_guard lock(m_);
  unused_.push_back(&g);
}

size_t SlotGroups::live() const {
  size_t n = 0;
  for (auto& s : shards_) {
    std::lock_guard lock(s.m);
    n += s.live;
  }
  return n;
}

}  // namespace isthmus
