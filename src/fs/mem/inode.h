#pragma once
#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
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

/// A file object, in the node table. It lives as long as somebody counts a reference there: each name, each open
/// handle, each lookup of a door, each child directory (whose ".." it is) and each watch.
///
/// Lock order, for everything in MemFs: rename mutex; directories, parent before child, unrelated ones by address;
/// other inodes by address; then the leaves (watch list, node table, page pool, lock table). Nothing is locked across
/// an answer or an upcall.
struct Inode {
  using Body = std::variant<uint64_t /*rdev; 0 for fifos and sockets*/, FileData, std::unique_ptr<Directory>,
                            std::string /*symlink target*/>;

  mutable RwLock m;                  // guards all below, but for what is marked
  std::atomic<uint64_t> lookups{0};  // counted to doors, part of the node table's count; any thread
  uint32_t type = 0;                 // S_IFMT part of mode; constant, read without the lock
  uint32_t mode = 0;                 // type and permissions
  uint32_t nlink = 0, uid = 0, gid = 0;
  uint64_t size = 0;
  Time atime, mtime, ctime, btime;
  /// Directories: where ".." leads, counted there. Others: where the newest of its names is, for watchers; null when
  /// that name is gone.
  Inode* parent = nullptr;
  uint64_t cookie = 0;  // of its name in parent
  std::unique_ptr<Extras> extras;
  Body body;

  bool is(mode_t t) const { return type == t; }
  bool is_dir() const { return is(S_IFDIR); }
  Directory& dir() { return **std::get_if<std::unique_ptr<Directory>>(&body); }
  const Directory& dir() const { return **std::get_if<std::unique_ptr<Directory>>(&body); }
  FileData& data() { return *std::get_if<FileData>(&body); }
  const FileData& data() const { return *std::get_if<FileData>(&body); }
  const std::string& target() const { return *std::get_if<std::string>(&body); }
  uint64_t rdev() const {
    auto* r = std::get_if<uint64_t>(&body);
    return r ? *r : 0;
  }
  const PosixAcl* access_acl() const { return extras ? extras->access.get() : nullptr; }
  Extras& make_extras() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }
  /// What Space charges for besides the inode itself.
  uint64_t charged_bytes() const {
    auto* f = std::get_if<FileData>(&body);
    return (f ? f->pages() * kPage : 0) + (extras ? extras->charged : 0);
  }
};

// With the node table's slot (24 bytes), a Dirent (24 and the name) and its places in hash and list (about 40), a file
// without data takes about 320 bytes and its name.
static_assert(sizeof(Inode) <= 256);

}  // namespace isthmus::fs::mem
