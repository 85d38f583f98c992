#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fs/mem/page_pool.h"
#include "fs/mem/space.h"

namespace isthmus::fs::mem {

/// The bytes of a regular file: pages by index, with holes, and a first page that takes a small file only as much
/// memory as it needs. Knows nothing of the file's size: bytes never written read as zero, and the owner cuts the data
/// when the file shrinks, so that what lies past its end is always zero. Not thread-safe: its inode's lock guards it.
class FileData {
 public:
  FileData() = default;
  FileData(FileData&& o) noexcept;
  FileData& operator=(FileData&& o) noexcept;
  ~FileData();

  /// Pages that are charged: st_blocks in units of kPage.
  uint64_t pages() const { return pages_; }

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
  static constexpr uint64_t kLeafPages = 512;
  static constexpr uint32_t kSmallMax = 2048;

  std::byte* page(uint64_t index) const;
  bool has(uint64_t index) const { return page(index) || (index == 0 && small_); }
  uint64_t missing(uint64_t first, uint64_t last) const;
  // The page, made if need be (already charged); zeroed unless it is to be overwritten as a whole.
  std::byte* make(uint64_t index, bool overwrite);
  void put(uint64_t index, std::byte* page);
  void grow_small(uint32_t bytes);
  void promote();
  void remove(uint64_t first, uint64_t last, const Payer& payer);
  void zero_in_page(uint64_t index, size_t from, size_t to);
  void copy_in(uint64_t offset, Bytes from);

  std::byte* small_ = nullptr;  // page 0, its first small_size_ bytes; the rest of it is zero
  std::unique_ptr<Leaves> leaves_;
  uint64_t pages_ = 0;
  uint32_t small_size_ = 0;
};

}  // namespace isthmus::fs::mem
