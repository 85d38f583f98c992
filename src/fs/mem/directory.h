#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace isthmus::fs::mem {

struct Inode;

/// One name. Lives as long as the name does: a rename over it or an exchange changes `node` and keeps the cookie.
/// Allocated in one piece with its characters.
struct Dirent {
  Inode* node;
  uint64_t cookie;
  uint32_t hash;
  uint8_t length;
  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), length}; }
};

/// The names of a directory: a hash table for finding them and a list in the order of their making for listing them.
/// Cookies only grow, so a listing that goes on after cookie c shows every name once, whatever comes and goes
/// meanwhile. Not thread-safe: the lock of the directory's inode guards it. Does not count references of nodes.
class Directory {
 public:
  /// Cookies of "." and ".." ; names start behind.
  static constexpr uint64_t kDot = 1, kDotDot = 2, kFirst = 3;

  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();

  Dirent* find(std::string_view name) const;
  /// The name must not exist; at most 255 bytes. Throws bad_alloc, changing nothing.
  Dirent& add(std::string_view name, Inode& node);
  void remove(Dirent& e) noexcept;

  /// The first name behind `cookie` (any number), or null.
  const Dirent* after(uint64_t cookie) const;
  const Dirent* at(uint64_t cookie) const;
  /// The cookie that the next name will get.
  uint64_t next_cookie() const { return next_; }
  size_t size() const { return live_; }
  /// For listings without a handle: where the one begun last ends. Later names are for later listings: one that renames
  /// what it sees must end. Set by readers, with the lock shared.
  std::atomic<uint64_t>& listing_end() const { return listing_end_; }

 private:
  struct Place {
    uint64_t cookie;
    Dirent* entry;  // null: removed
  };
  static constexpr size_t kMinTable = 8;
  size_t slot_of(const Dirent& e) const;
  size_t place_behind(uint64_t cookie) const;
  void rehash(size_t size);
  void compact();

  // Open addressing with linear probing; a power of two, at most 3/4 full, no tombstones (removal shifts back).
  std::vector<Dirent*> table_;
  std::vector<Place> order_;  // by cookie
  size_t live_ = 0;
  uint64_t next_ = kFirst;
  mutable std::atomic<uint64_t> listing_end_{UINT64_MAX};
};

}  // namespace isthmus::fs::mem
