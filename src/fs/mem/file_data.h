#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fs/mem/page_pool.h"
#include "fs/mem/space.h"

namespace isthmus::fs::mem {

/// The bytes of a regular file: pages by index, with holes, and a first page that takes of a small file only as much
/// memory as it needs. 16 bytes when empty. Knows nothing of the file's size: bytes never written read as zero, and the
/// owner cuts the data when the file shrinks, so that what lies past its end is always zero. Not thread-safe: its
/// inode's lock guards it.
class FileData {
 public:
  FileData() = default;
  FileData(FileData&& o) noexcept : first_(std::exchange(o.first_, nullptr)), rest_(std::move(o.rest_)) {}
  FileData& operator=(FileData&& o) noexcept {
    std::swap(first_, o.first_);
    std::swap(rest_, o.rest_);
    return *this;
  }
  ~FileData();

  /// Pages that are charged: st_blocks in units of kPage.
  uint64_t pages() const { return (first_ ? 1 : 0) + (rest_ ? rest_->pages : 0); }

  void read(uint64_t offset, MutableBytes to) const;
  /// Returns how many bytes were taken; fewer only when there is no room for more, and then `why` says ENOSPC or
  /// EDQUOT.
  size_t write(uint64_t offset, Bytes from, const Payer& payer, Errno& why);

  /// Makes every page of the range exist, all or none.
  Status allocate(uint64_t offset, uint64_t length, const Payer& payer);
  /// Zeroes what exists of the range.
  void zero(uint64_t offset, uint64_t length);
  /// Zeroes the range and frees the pages that lie in it wholly.
  void punch(uint64_t offset, uint64_t length, const Payer& payer);
  /// Frees everything from `size` on.
  void cut(uint64_t size, const Payer& payer);
  /// Moves what lies from offset + length on down by length (what was between is gone), or what lies from offset on up.
  /// Multiples of kPage.
  void collapse(uint64_t offset, uint64_t length, const Payer& payer);
  void insert(uint64_t offset, uint64_t length);

  /// The first byte at or after `offset` in a page that exists (or does not); UINT64_MAX when there is none.
  uint64_t next_data(uint64_t offset) const;
  uint64_t next_hole(uint64_t offset) const;

 private:
  // 512 pages, 2 MiB of file; as many pointers as the last page in it needs.
  struct Leaf {
    std::vector<std::byte*> pages;
    uint32_t used = 0;
  };
  using Leaves = std::map<uint64_t, Leaf>;
  struct Rest {
    Leaves leaves;  // never empty, and never with page 0
    uint64_t pages = 0;
  };
  // The beginning of page 0: `size` bytes follow; the rest of the page is zero.
  struct Small {
    uint32_t size;
    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  };
  static constexpr uint64_t kLeafPages = 512;
  static constexpr uint32_t kSmallMax = 2048;

  std::byte* page(uint64_t index) const;
  bool has(uint64_t index) const { return index == 0 ? first_ != nullptr : page(index) != nullptr; }
  bool first_is_small() const { return reinterpret_cast<uintptr_t>(first_) & 1; }
  Small* small() const { return first_is_small() ? static_cast<Small*>(static_cast<void*>(first_ - 1)) : nullptr; }
  void free_first() noexcept;
  uint64_t missing(uint64_t first, uint64_t last) const;
  // The page, made if need be (already charged); zeroed unless it is to be overwritten as a whole.
  std::byte* make(uint64_t index, bool overwrite);
  void put(uint64_t index, std::byte* page);
  void grow_small(uint32_t bytes);
  void promote();
  void remove(uint64_t first, uint64_t last, const Payer& payer);
  void zero_in_page(uint64_t index, size_t from, size_t to);
  void copy_in(uint64_t offset, Bytes from);

  std::byte* first_ = nullptr;  // page 0: nothing, a page, or the second byte of a Small: no page has an odd address
  std::unique_ptr<Rest> rest_;  // all other pages
};

}  // namespace isthmus::fs::mem
