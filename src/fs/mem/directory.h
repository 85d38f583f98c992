#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fs/mem/dirent.h"
#include "fs/mem/name_index.h"

namespace isthmus::fs::mem {

/// The names of a directory: in the order of their making for listing them, and an index for finding them. Cookies only
/// grow, so a listing that goes on after cookie c shows every name once, whatever comes and goes meanwhile. No
/// operation takes longer because there are many names. Not thread-safe: the lock of the directory's inode guards it.
/// Does not count references of nodes.
class Directory {
  struct Segment;

 public:
  /// Cookies of "." and ".." ; names start behind.
  static constexpr uint64_t kDot = 1, kDotDot = 2, kFirst = 3;

  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();

  Dirent* find(const HashedName& name) const { return index_.find(name); }
  /// The name must not exist; at most 255 bytes. Throws bad_alloc, changing nothing.
  Dirent& add(const HashedName& name, Inode& node);
  void remove(Dirent& e) noexcept;

  /// Reads names in their order. Good until the directory changes.
  class Reader {
   public:
    /// From the first name behind `cookie` (any number).
    Reader(const Directory& d, uint64_t cookie);
    /// Null at the end.
    const Dirent* next();

   private:
    const Directory& d_;
    size_t part_;
    uint32_t at_ = 0;
  };
  const Dirent* after(uint64_t cookie) const { return Reader(*this, cookie).next(); }
  const Dirent* at(uint64_t cookie) const;
  /// The cookie that the next name will get.
  uint64_t next_cookie() const { return next_; }
  size_t size() const { return live_; }
  /// For listings without a handle: where the one begun last ends. Later names are for later listings: one that renames
  /// what it sees must end. Set by readers, with the lock shared.
  std::atomic<uint64_t>& listing_end() const { return listing_end_; }

 private:
  // A piece of the order. Names stay where they are, but for pieces that are nearly empty and become one.
  struct Part {
    uint64_t first;    // no cookie in it is smaller
    Segment* segment;  // null: all of its names are gone
  };
  static constexpr uint32_t kSegment = 64;

  static Segment* make(uint32_t capacity);
  size_t part_of(uint64_t cookie) const;
  void emptied(size_t part) noexcept;
  void merge(size_t part) noexcept;

  NameIndex index_;
  std::vector<Part> parts_;  // by `first`; the last one has a segment
  size_t dead_ = 0;          // parts without a segment
  size_t live_ = 0;
  uint64_t next_ = kFirst;
  mutable std::atomic<uint64_t> listing_end_{UINT64_MAX};
};

}  // namespace isthmus::fs::mem
