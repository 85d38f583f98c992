#pragma once
#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/rw_lock.h"
#include "fs/mem/directory.h"
#include "fs/mem/file_data.h"
#include "vfs/posix_acl.h"
#include "vfs/types.h"

namespace isthmus::fs::mem {

/// Extended attributes and ACLs, for the few files that have any.
struct Extras {
  std::map<std::string, std::string, std::less<>> xattrs;  // without the ACLs
  uint64_t charged = 0;                                    // bytes of names and values
  std::unique_ptr<PosixAcl> access, dflt;
  uint32_t flags = 0;  // FS_IMMUTABLE_FL and friends
};

/// A Time in 12 bytes: there are four of them in every inode.
class Stamp {
 public:
  Stamp() = default;
  Stamp(Time t)  // NOLINT(google-explicit-constructor)
      : low_(static_cast<uint32_t>(t.sec)), high_(static_cast<uint32_t>(t.sec >> 32)), nsec_(t.nsec) {}
  operator Time() const {  // NOLINT(google-explicit-constructor)
    return {static_cast<int64_t>(uint64_t{high_} << 32 | low_), nsec_};
  }

 private:
  uint32_t low_ = 0, high_ = 0, nsec_ = 0;
};

/// A file object, in the node table. It lives as long as somebody counts a reference there: each name, each open
/// handle, each lookup of a door, each child directory (whose ".." it is) and each watch.
///
/// Lock order, for everything in MemFs: rename mutex; directories, parent before child, unrelated ones by address;
/// other inodes by address; then the leaves (watch list, node table, page pool, space, lock table). Nothing is locked
/// across an answer or an upcall.
struct Inode {
  /// What a new one begins with: nothing, a device's rdev (0 for fifos and sockets), or a symlink's target (copied).
  using Body = std::variant<FileData, std::unique_ptr<Directory>, uint64_t, std::string_view>;

  Inode() : rdev_(0) {}
  Inode(uint32_t file_type, Body&& body);
  ~Inode();
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  mutable RwLock m;   // guards all below, but for what is marked
  uint16_t type = 0;  // S_IFMT part of mode; constant, read without the lock
  uint16_t mode = 0;  // type and permissions
  uint32_t nlink = 0, uid = 0, gid = 0;
  Stamp atime, mtime, ctime, btime;
  uint64_t size = 0;                 // of files and symlinks, bytes
  std::atomic<uint64_t> lookups{0};  // counted to doors, part of the node table's count; any thread
  /// Directories: where ".." leads, counted there. Others: where the newest of its names is, for watchers; null when
  /// that name is gone.
  Inode* parent = nullptr;
  uint64_t cookie = 0;  // of its name in parent
  std::unique_ptr<Extras> extras;

  bool is(mode_t t) const { return type == t; }
  bool is_dir() const { return is(S_IFDIR); }
  // Each only for its type; neither the directory nor the target are ever another one.
  Directory& dir() { return *dir_; }
  const Directory& dir() const { return *dir_; }
  FileData& data() { return data_; }
  const FileData& data() const { return data_; }
  std::string_view target() const { return {target_, size}; }
  uint64_t rdev() const { return is(S_IFCHR) || is(S_IFBLK) ? rdev_ : 0; }
  const PosixAcl* access_acl() const { return extras ? extras->access.get() : nullptr; }
  Extras& make_extras() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }
  /// What Space charges for besides the inode itself.
  uint64_t charged_bytes() const { return (is(S_IFREG) ? data_.pages() * kPage : 0) + (extras ? extras->charged : 0); }

 private:
  union {
    FileData data_;
    Directory* dir_;
    char* target_;  // `size` bytes
    uint64_t rdev_;
  };
};

// With the node table's 16 bytes, a Dirent (32, and the name when it is long) and its place in the index (16), a file
// without data takes about 200 bytes.
static_assert(sizeof(Inode) <= 128);

}  // namespace isthmus::fs::mem
