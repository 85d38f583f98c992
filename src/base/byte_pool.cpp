#include "base/byte_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace isthmus {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

bool is_huge(unsigned order) { return size_t{1} << order >= kHugePage; }

/// Of `2^order` bytes. Huge pieces are aligned to the pages that the system has of that size.
std::byte* allocate(unsigned order) {
  const size_t size = size_t{1} << order;
  if (!is_huge(order)) return static_cast<std::byte*>(::operator new(size));
  const size_t room = size + kHugePage;
  void* at = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  auto* all = static_cast<std::byte*>(at);
  const size_t before = round_up(reinterpret_cast<uintptr_t>(all), kHugePage) - reinterpret_cast<uintptr_t>(all);
  if (before) ::munmap(all, before);
  std::byte* piece = all + before;
  ::munmap(piece + size, room - size - before);
  ::madvise(piece, size, MADV_HUGEPAGE);
  return piece;
}

void release(std::byte* at, unsigned order) noexcept {
  if (is_huge(order))
    ::munmap(at, size_t{1} << order);
  else
    ::operator delete(at);
}

}  // namespace

struct BytePool::Kept {
  explicit Kept(size_t bytes_kept) : most(bytes_kept) {}
  ~Kept() { trim(); }

  void trim() {
    std::array<std::vector<std::byte*>, kLargest + 1> gone;
    {
      std::lock_guard lock(m);
      gone.swap(free);
      bytes = 0;
    }
    for (unsigned order = 0; order < gone.size(); order++)
      for (std::byte* at : gone[order]) release(at, order);
  }

  const size_t most;
  std::mutex m;                                            // guards what follows
  std::array<std::vector<std::byte*>, kLargest + 1> free;  // by log2 of their size; the last were used last
  size_t bytes = 0;
};

BytePool::BytePool(size_t most) : kept_(std::make_shared<Kept>(most)) {}

unsigned BytePool::order_of(size_t size) { return static_cast<unsigned>(std::bit_width(size - 1)); }

BytePool::Piece BytePool::take(size_t size) const {
  Piece p;
  if (size == 0) return p;
  const unsigned order = order_of(size);
  if (order < kSmallest || order > kLargest) {
    p.at_ = new std::byte[size];
    p.size_ = size;
    return p;
  }
  {
    std::lock_guard lock(kept_->m);
    auto& free = kept_->free[order];
    if (!free.empty()) {
      p.at_ = free.back();
      free.pop_back();
      kept_->bytes -= size_t{1} << order;
    }
  }
  if (!p.at_) p.at_ = allocate(order);
  p.size_ = size;
  p.kept_ = kept_;
  return p;
}

void BytePool::trim() { kept_->trim(); }

void BytePool::Piece::give_back() noexcept {
  std::byte* at = std::exchange(at_, nullptr);
  if (!at) return;
  const unsigned order = order_of(std::exchange(size_, 0));
  if (order < kSmallest || order > kLargest) {
    delete[] at;
    return;
  }
  if (const auto kept = kept_.lock()) {
    std::lock_guard lock(kept->m);
    auto& free = kept->free[order];
    const size_t size = size_t{1} << order;
    if (size <= kept->most - kept->bytes) {
      try {
        free.push_back(at);
        kept->bytes += size;
        return;
      } catch (const std::bad_alloc&) {  // it goes
      }
    }
  }
  kept_.reset();
  release(at, order);
}

}  // namespace isthmus
