#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "vfs/types.h"
#include "vfs/volume/share_modes.h"
#include "vfs/volume/timers.h"
#include "vfs/volume/watches.h"

namespace isthmus {
class Cancel;
}

namespace isthmus::volume {

/// What somebody is about to do to a node, as far as it concerns leases and share modes of others.
enum class Use : uint8_t {
  open,     ///< see Wish
  read,     ///< of data without an open file
  change,   ///< data or size
  entries,  ///< of a directory: what a listing shows, names and what is said of them
  attribute,
  lock,    ///< a byte range
  detach,  ///< unlink, rename or replace the node's name
};

/// Who has which file open how, who holds which lease, who waits for one to be given back: share modes and leases, the
/// rules of Windows (MS-FSA 2.1.5.1.2, 2.1.4.12) applied to every door. Any thread. One mutex a shard of nodes; a leaf.
/// Callbacks run with none held.
class Opens {
 public:
  /// Tells the holder's door that its lease shrinks to `bits`.
  using Tell = std::function<void(uint32_t port, NodeId node, HandleId handle, uint8_t bits)>;

  Opens(std::chrono::milliseconds break_time, Tell tell);
  ~Opens();

  struct Wish {
    NodeId node = NodeId::none;
    Use use = Use::open;
    HandleId handle = HandleId::none;  ///< Use::open: the number of the open to be; else the open file that is used
    Actor who;
    uint8_t access = 0;  ///< AccessBits: of the open, or what an operation without one does
    uint8_t share = kShareAll;
    bool truncates = false;  ///< Use::open: what is cached of the data goes, too
  };
  /// Takes back the leases that are in the way, and waits for that as long as it takes, break_time at most. `then` gets
  /// Errno{} when the use may go on (an open is then recorded), EBUSY for a share mode in the way, EINTR when
  /// cancelled. Runs here and now, or on a thread that made room. `cancel` may be null.
  void use(const Wish& wish, Cancel* cancel, std::function<void(Errno)> then);
  /// Whether use() of anything but an open would do nothing at all for any node.
  bool idle() const { return held_.load(std::memory_order_relaxed) == 0; }

  /// The open and its lease end.
  void close(NodeId node, HandleId handle);
  /// Asks for, gives back or acknowledges a lease of an open; returns what is held now. EBADF: there is no such open.
  /// While it is being taken back, asking for more changes nothing. bits: LeaseBits, kLeaseOplock and kLeaseDirectory.
  Result<uint8_t> lease(NodeId node, HandleId handle, uint8_t bits);
  /// The same for somebody who does not wait.
  void announce(const Wish& wish);
  /// Takes leases back for somebody who does not wait: the provider tells of what has happened already.
  void outside(NodeId node, Use use);
  /// What a listing of some directory shows has changed, and nobody knows of which: all leases of directories go.
  void announce_anywhere(const Actor& who);
  /// Whether there is a lease of a directory.
  bool any_of_directories() const { return directories_.load(std::memory_order_relaxed) != 0; }
  /// The provider takes back what it granted for one open.
  void shrink(NodeId node, HandleId handle, uint8_t bits);

  bool is_open(NodeId node) const;
  size_t opens() const;
  size_t leases() const { return leases_.load(std::memory_order_relaxed); }
  size_t waiting() const;

 private:
  struct Open {
    HandleId handle;
    Actor who;
    uint8_t access, share;
    bool limits() const { return share != kShareAll; }
  };
  class Break;
  struct Lease {
    HandleId handle;  // through which it was granted last
    Actor who;
    uint8_t bits = 0, to = 0;
    uint8_t keep = kLeaseAll;  // at most, after the break under way
    bool waits = false;        // others wait for the break
    bool oplock = false, directory = false;
    std::shared_ptr<Break> breaking{};  // null: held in peace
  };
  struct Waiter;
  struct File {
    std::vector<Open> opens;
    std::vector<Lease> leases;
    std::vector<std::shared_ptr<Waiter>> waiters;
    bool idle() const { return opens.empty() && leases.empty() && waiters.empty(); }
  };
  struct Shard {
    mutable std::mutex m;
    std::unordered_map<NodeId, File> files;
  };
  struct News {
    uint32_t port;
    NodeId node;
    HandleId handle;
    uint8_t bits;
  };
  /// What is to be done when the shard's mutex has been let go.
  struct After {
    std::vector<News> news;
    std::vector<std::shared_ptr<Waiter>> woken;
  };
  static constexpr size_t kShards = 16;

  static size_t shard_number(NodeId n) { return (raw(n) * 0x9e3779b97f4a7c15u) >> 60; }
  Shard& shard_of(NodeId n) { return shards_[shard_number(n)]; }
  static bool same(const Actor& a, HandleId ah, const Actor& b, HandleId bh);
  /// Whether a use leaves a lease alone.
  static bool spares(const Wish& w, const Lease& l);
  // With the shard's mutex held. Nothing: wait.
  std::optional<Errno> attempt(File& f, const Wish& w, After& after);
  bool take_back(Lease& l, NodeId node, Use use, uint8_t keep, After& after);
  void shrink_to(Lease& l, NodeId node, uint8_t keep, After& after);
  void settle(File& f, Lease& l, NodeId node, uint8_t bits, After& after);
  void add(File& f, Lease l);
  void drop(File& f, std::vector<Lease>::iterator l);
  /// Drops those of which nothing is left.
  void sweep(File& f);
  void uncount(const Lease& l);
  void wake(File& f, After& after);
  void leave(Shard& s, NodeId n);
  // For all leases of a node, which nobody waits for.
  template <class F>
  void each_lease(NodeId node, F&& take);
  void run(After&& after);
  void timed_out(NodeId node, const Break& b);

  const Tell tell_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> held_{0};  // leases, and opens that limit others
  std::atomic<size_t> leases_{0}, directories_{0};
  Timers timers_;  // last: its thread uses the rest; told of breaks with the shard's mutex held, in the order they have
};

}  // namespace isthmus::volume
