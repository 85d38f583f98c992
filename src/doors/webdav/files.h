#pragma once
#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/sync.h"
#include "vfs/then.h"
#include "vfs/volume/port.h"
#include "vfs/volume/resolve.h"

namespace isthmus::webdav {

/// Names from the export's root, as the file system has them.
using Names = std::vector<std::string>;

class Files;

/// What a path leads to, held until it ends.
class Found {
 public:
  Found() = default;
  Found(Files& files, Resolved r) : files_(&files), r_(std::move(r)) {}
  Found(Found&& o) noexcept : files_(std::exchange(o.files_, nullptr)), r_(std::move(o.r_)) {}
  Found& operator=(Found&& o) noexcept;
  ~Found() { reset(); }

  bool exists() const { return r_.entry.node != NodeId::none; }
  bool is_root() const { return r_.parent == NodeId::none; }
  NodeId node() const { return r_.entry.node; }
  NodeId parent() const { return r_.parent; }
  const std::string& name() const { return r_.name; }
  const Attr& attr() const { return r_.entry.attr; }
  void set_attr(const Attr& attr) { r_.entry.attr = attr; }
  bool is_dir() const { return exists() && (attr().mode & S_IFMT) == S_IFDIR; }
  bool is_file() const { return exists() && (attr().mode & S_IFMT) == S_IFREG; }
  bool is_symlink() const { return exists() && (attr().mode & S_IFMT) == S_IFLNK; }

 private:
  void reset();
  Files* files_ = nullptr;
  Resolved r_;
};

/// An open file or directory; released when it ends.
class OpenFile {
 public:
  OpenFile() = default;
  OpenFile(Files& files, NodeId node, const Opened& opened, bool directory)
      : files_(&files), node_(node), opened_(opened), directory_(directory) {}
  OpenFile(OpenFile&& o) noexcept
      : files_(std::exchange(o.files_, nullptr)), node_(o.node_), opened_(o.opened_), directory_(o.directory_) {}
  OpenFile& operator=(OpenFile&& o) noexcept;
  ~OpenFile() { (void)close(); }

  explicit operator bool() const { return files_ != nullptr; }
  NodeId node() const { return node_; }
  HandleId handle() const { return opened_.handle; }
  int backing_fd() const { return opened_.backing_fd; }
  /// Flushes a file, whose error is close(2)'s, and releases it.
  Status close();

 private:
  Files* files_ = nullptr;
  NodeId node_ = NodeId::none;
  Opened opened_;
  bool directory_ = false;
};

/// The operations of one request, each waited for: a thread of the door sleeps while the file system does, and the line
/// calls another (docs/webdav.md).
class Files {
 public:
  Files(VolumePort& port, const Context& ctx) : port_(port), ctx_(ctx) {}

  template <class T>
  Result<typename T::Reply> call(T args) {
    return call_and_wait(port_, std::move(args), ctx_);
  }
  VolumePort& port() { return port_; }
  const Context& context() const { return ctx_; }

  /// ENOENT where a directory on the way is missing; a missing last name is Found::exists() false.
  Result<Found> find(const Names& names, bool follow_last = true);
  Result<OpenFile> open(NodeId node, uint32_t flags);
  Result<OpenFile> open_dir(NodeId node);
  void forget(NodeId node, uint64_t count = 1) { isthmus::forget(port_, ctx_, node, count); }
  /// Writes all of `data` at `offset`.
  Status write_all(const OpenFile& file, uint64_t offset, Bytes data);

  struct Item {
    std::string name;
    uint32_t type = 0;  ///< DT_*
  };
  /// All names of a directory but . and .., in the file system's order.
  Result<std::vector<Item>> list(NodeId dir);

 private:
  VolumePort& port_;
  Context ctx_;
};

/// Joined with '/', for resolve() and keys.
std::string path_text(const Names& names);

}  // namespace isthmus::webdav
