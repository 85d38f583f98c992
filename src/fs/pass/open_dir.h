#pragma once
#include <list>
#include <mutex>

#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

/// A directory being read. Entries that the kernel gave but no sink has taken yet wait in `block`.
struct PassFs::OpenDirectory {
  static constexpr size_t kBlock = size_t{32} << 10;

  OpenDirectory(NodeId n, SharedFd f) : node(n), fd(std::move(f)) {}

  const NodeId node;
  const SharedFd fd;
  std::mutex m;  // guards the rest; readers of one handle take turns
  std::unique_ptr<std::byte[]> block;
  size_t used = 0, next = 0;
  uint64_t cookie = 0;  ///< of the entry before block[next]
};

/// Directories that are being read without a handle, by node and the place reached: going on there costs no open, and
/// stores that show no names made since a directory was opened keep to that, so that who renames all it sees comes to
/// an end. The newest kMost. Any thread; its lock is a leaf.
class PassFs::Listings {
 public:
  /// Null when nobody has come to `cookie`.
  std::unique_ptr<OpenDirectory> take(NodeId node, uint64_t cookie);
  void keep(std::unique_ptr<OpenDirectory> d);
  void drop(NodeId node);

 private:
  static constexpr size_t kMost = 32;
  std::atomic<size_t> count_{0};
  std::mutex m_;  // guards kept_
  std::list<std::unique_ptr<OpenDirectory>> kept_;
};

}  // namespace isthmus::fs::pass
