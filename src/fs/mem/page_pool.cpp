#include "fs/mem/page_pool.h"

#include <sys/mman.h>

#include <mutex>
#include <new>

#include "base/thread_number.h"

namespace isthmus::fs::mem {
namespace {
constexpr size_t kSlab = size_t{2} << 20;
}

// Lies in the slab's own first page; the rest are handed out. A free page's first bytes link to the next free one;
// pages never used yet are not linked, so that a fresh slab touches no memory.
struct PagePool::Slab {
  static constexpr uint32_t kPages = kSlab / kPage - 1;
  Slab *next = nullptr, *prev = nullptr;
  std::byte* free = nullptr;
  uint32_t used = 0, fresh = 0;  // handed out; first pages never handed out
  unsigned shard = 0;

  bool full() const { return used == kPages; }
  std::byte* pop() {
    used++;
    if (std::byte* p = free) {
      free = *reinterpret_cast<std::byte**>(p);
      return p;
    }
    return reinterpret_cast<std::byte*>(this) + kPage * (1 + fresh++);
  }
  void push(std::byte* p) {
    used--;
    *reinterpret_cast<std::byte**>(p) = free;
    free = p;
  }
};

// Never destroyed: files may outlive every static.
PagePool& PagePool::instance() {
  static auto* pool = new PagePool;
  return *pool;
}

void PagePool::link(Shard& s, Slab* slab) {
  slab->prev = nullptr;
  slab->next = s.partial;
  if (s.partial) s.partial->prev = slab;
  s.partial = slab;
}

void PagePool::unlink(Shard& s, Slab* slab) {
  (slab->prev ? slab->prev->next : s.partial) = slab->next;
  if (slab->next) slab->next->prev = slab->prev;
}

PagePool::Slab* PagePool::map(unsigned shard) {
  void* raw = ::mmap(nullptr, 2 * kSlab, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(raw);
  size_t head = (kSlab - reinterpret_cast<uintptr_t>(begin) % kSlab) % kSlab;
  if (head) ::munmap(begin, head);
  ::munmap(begin + head + kSlab, kSlab - head);
  ::madvise(begin + head, kSlab, MADV_HUGEPAGE);
  auto* slab = ::new (begin + head) Slab;
  slab->shard = shard;
  return slab;
}

std::byte* PagePool::take() {
  unsigned i = thread_number() % kShards;
  Shard& s = shards_[i];
  std::lock_guard lock(s.m);
  if (!s.partial) {
    if (!s.spare) {
      s.spare = map(i);
      s.slabs++;
    }
    link(s, s.spare);
    s.spare = nullptr;
  }
  Slab* slab = s.partial;
  std::byte* p = slab->pop();
  if (slab->full()) unlink(s, slab);
  return p;
}

void PagePool::give(std::byte* page) noexcept {
  if (!page) return;
  auto* slab = reinterpret_cast<Slab*>(page - reinterpret_cast<uintptr_t>(page) % kSlab);
  Shard& s = shards_[slab->shard];
  Slab* unused = nullptr;
  {
    std::lock_guard lock(s.m);
    bool was_full = slab->full();
    slab->push(page);
    if (was_full) link(s, slab);
    if (slab->used) return;
    unlink(s, slab);
    if (!s.spare) {
      s.spare = slab;
      return;
    }
    s.slabs--;
    unused = slab;
  }
  ::munmap(static_cast<void*>(unused), kSlab);
}

size_t PagePool::mapped() const {
  size_t n = 0;
  for (auto& s : shards_) {
    std::lock_guard lock(s.m);
    n += s.slabs * kSlab;
  }
  return n;
}

}  // namespace isthmus::fs::mem
