#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace isthmus::fuse {

constexpr size_t kPage = 4096;

/// Whole pages, zero, taken from the system when they are first touched.
class PageMemory {
 public:
  explicit PageMemory(size_t size) : size_(size) {  // std::bad_alloc
    void* p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    at_ = static_cast<std::byte*>(p);
  }
  PageMemory(PageMemory&& o) noexcept : at_(std::exchange(o.at_, nullptr)), size_(o.size_) {}
  PageMemory& operator=(PageMemory&&) = delete;
  ~PageMemory() {
    if (at_) ::munmap(at_, size_);
  }
  std::byte* get() const { return at_; }

 private:
  std::byte* at_ = nullptr;
  size_t size_;
};

}  // namespace isthmus::fuse
