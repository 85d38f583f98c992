#pragma once
#include <array>
#include <atomic>
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

/// What a descriptor is good for; each for all before it.
enum class Use : uint8_t { path, read, write };

/// Descriptors of recently used nodes, one a node: at most `limit`, the least recently used are dropped first (and
/// closed once nobody uses them any more). Any thread; its locks are leaves.
class FdCache {
 public:
  /// Before the first use.
  void set_limit(size_t limit);
  /// Null when there is none that is good for `use`.
  SharedFd get(NodeId node, Use use = Use::path);
  /// Takes the place of one that was good for less; is not kept beside a better one. True: none was open for writing
  /// before, and this one is.
  bool put(NodeId node, SharedFd fd, Use use = Use::path);
  void drop(NodeId node);
  void drop_all();
  size_t size() const;

  /// Whether any is open for writing.
  bool has_writers() const { return writers_.load(std::memory_order_relaxed) > 0; }
  /// Drops those for writing that were not used since the last call but one. Nobody else can run such a file, or hear
  /// that it was closed.
  void drop_idle_writers();

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
    Use use;
    uint32_t last;  // round_ at its last use
  };
  using Order = std::list<Item>;
  struct Part {
    mutable std::mutex m;  // guards the rest
    Order order;           // newest first
    std::unordered_map<uint64_t, Order::iterator> at;
  };
  static constexpr size_t kParts = 8;
  Part& part(NodeId node) { return parts_[(raw(node) ^ raw(node) >> 32) % kParts]; }
  uint32_t round() const { return round_.load(std::memory_order_relaxed); }
  /// The item goes to `to`, to be closed when the lock is gone.
  void take_out(Part& p, Order::iterator it, Order& to);

  std::array<Part, kParts> parts_;
  size_t limit_each_ = 64;
  std::atomic<uint32_t> writers_{0}, round_{0};
};

}  // namespace isthmus::fs::pass
