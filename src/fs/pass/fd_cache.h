#pragma once
#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/fd.h"
#include "fs/pass/sys.h"

namespace isthmus::fs::pass {

/// An open descriptor; whoever holds one may use it, the last one closes it.
using SharedFd = std::shared_ptr<const Fd>;
inline SharedFd share(int fd) { return std::make_shared<const Fd>(fd); }

/// The O_PATH descriptors of recently used nodes: at most `limit`, the least recently used are dropped first (and
/// closed once nobody uses them any more). Any thread; its locks are leaves.
class FdCache {
 public:
  /// Before the first use.
  void set_limit(size_t limit);
  /// Null when it is not here.
  SharedFd get(NodeId node);
  void put(NodeId node, SharedFd fd);
  void drop(NodeId node);
  void drop_all();
  size_t size() const;

  /// Runs `open` (a call that answers a new descriptor or -1 and errno); when descriptors have run out, drops
  /// everything here and runs it again.
  template <class F>
  Result<SharedFd> make(F open) {
    int fd = no_eintr(open);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
      drop_all();
      fd = no_eintr(open);
    }
    if (fd < 0) return last_errno();
    return share(fd);
  }

 private:
  struct Item {
    NodeId node;
    SharedFd fd;
  };
  struct Part {
    mutable std::mutex m;   // guards the rest
    std::list<Item> order;  // newest first
    std::unordered_map<uint64_t, std::list<Item>::iterator> at;
  };
  static constexpr size_t kParts = 8;
  Part& part(NodeId node) { return parts_[(raw(node) ^ raw(node) >> 32) % kParts]; }

  std::array<Part, kParts> parts_;
  size_t limit_each_ = 64;
};

}  // namespace isthmus::fs::pass
