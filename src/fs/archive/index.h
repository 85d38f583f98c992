#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace isthmus::fs::archive {

constexpr uint32_t kNone = UINT32_MAX;

/// How an entry's data is reached.
enum class Plan : uint8_t {
  none,    ///< there is none
  direct,  ///< as it is, at offset `where` of the archive
  jump,    ///< decoded by a reader that starts at the entry's own header, at offset `where`
  stream,  ///< decoded by a reader that comes from the archive's first entry; `where`: decoded bytes before it
};

/// One file object: 64 bytes. Its number in Index::nodes is its inode number less one; 0 is the root.
struct Node {
  uint64_t size = 0;  ///< of a file's data, or of a symlink's target
  uint64_t where = 0;
  int64_t mtime_sec = 0;
  uint32_t mtime_nsec = 0;
  uint32_t ordinal = 0;     ///< which entry of the archive has the data, counted from 1
  uint32_t parent = 0;      ///< (directories) what ".." is
  uint32_t first_name = 0;  ///< (directories) where its names begin
  uint32_t name_count = 0;  ///< (directories)
  uint32_t uid = 0, gid = 0;
  uint32_t nlink = 0;      ///< 0: no name leads here any more
  uint32_t extra = kNone;  ///< number in Index::extras
  uint16_t mode = 0;       ///< type and permissions
  Plan plan = Plan::none;
  bool encrypted = false;
};
static_assert(sizeof(Node) == 72 || sizeof(Node) == 64);

/// Data of a sparse file; what lies between is zero.
struct Extent {
  uint64_t offset = 0, length = 0;
};

struct Xattr {
  std::string name, value;
};

/// What few nodes have.
struct Extra {
  int64_t atime_sec = 0, ctime_sec = 0, btime_sec = 0;
  uint32_t atime_nsec = 0, ctime_nsec = 0, btime_nsec = 0;
  bool has_atime = false, has_ctime = false, has_btime = false;
  uint64_t rdev = 0;
  std::string_view target;  ///< of a symlink; in the arena
  uint32_t xattrs = kNone;  ///< number in Index::xattrs
  uint32_t sparse = kNone;  ///< number in Index::sparse
};

/// A name in a directory: 16 bytes.
struct Name {
  uint64_t text : 48;  ///< place in the arena
  uint64_t length : 16;
  uint32_t parent;
  uint32_t node;
};

/// Bytes that are kept for good, in chunks: nothing is ever moved.
class Arena {
 public:
  uint64_t put(std::string_view s);
  std::string_view get(uint64_t place, size_t length) const {
    return {chunks_[place >> kShift].get() + (place & (kChunk - 1)), length};
  }
  size_t memory() const { return chunks_.size() << kShift; }

 private:
  static constexpr unsigned kShift = 17;
  static constexpr size_t kChunk = size_t{1} << kShift;
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t used_ = kChunk;
};

/// The tree of an archive. Built by one thread (IndexBuilder), then never changed: any thread may read it.
class Index {
 public:
  std::deque<Node> nodes;
  std::deque<Extra> extras;
  std::deque<std::vector<Xattr>> xattrs;
  std::deque<std::vector<Extent>> sparse;
  /// Grouped by directory once finished, in the archive's order.
  std::deque<Name> names;
  Arena arena;
  bool has_acl = false;

  std::string_view text(const Name& n) const { return arena.get(n.text, n.length); }
  /// Number in `names`, or kNone.
  uint32_t find(uint32_t dir, std::string_view name) const;
  const Extra* extra(const Node& n) const { return n.extra == kNone ? nullptr : &extras[n.extra]; }
  const std::vector<Extent>* sparse_map(const Node& n) const;
  /// A path from the root to the node, for messages. Slow.
  std::string path_of(uint32_t node) const;
  uint32_t add_extra(const Extra& x);
  uint32_t add_xattrs(std::vector<Xattr> list);
  uint32_t add_sparse(std::vector<Extent> map);
  /// Bytes of memory that all this takes, about.
  uint64_t memory() const;

 private:
  friend class IndexBuilder;
  uint64_t hash(uint32_t dir, std::string_view name) const;
  void insert(uint32_t name_number);
  void grow_table(size_t slots);

  std::vector<uint32_t> table_;  // open addressing over `names`; kNone is free; a power of two, at most 3/4 full
  size_t table_used_ = 0;
  uint64_t side_memory_ = 0;  // of xattrs and sparse maps
  uint64_t seed_ = random_seed();
  static uint64_t random_seed();
};

}  // namespace isthmus::fs::archive
