#pragma once
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "vfs/lock_table.h"
#include "vfs/then.h"
#include "vfs/volume/cache.h"
#include "vfs/volume/exports.h"
#include "vfs/volume/hub.h"
#include "vfs/volume/opens.h"
#include "vfs/volume/places.h"
#include "vfs/volume/timers.h"
#include "vfs/volume/volume.h"
#include "vfs/volume/watches.h"

namespace isthmus::volume {

/// What one port is like, for everything that acts on its behalf; it may outlive the port.
struct PortFacts {
  PortOptions options;
  uint32_t id = 0;
  Timers* timers = nullptr;  // of operations, the core's; null: no deadline
};

inline Actor actor_of(const PortFacts& port, const Context& ctx) {
  return {port.id, ctx.client, ctx.lease_key, ctx.parent_lease_key};
}

/// An open file of a door. `inner` is the provider's handle; what is still under way at the provider keeps the object,
/// and the provider hears of the release when the last such operation has ended.
struct OpenFile {
  OpenFile(Core& c, NodeId n, HandleId in, uint32_t f, bool dir, bool user)
      : core(c), node(n), inner(in), flags(f), is_dir(dir), holds_node(user) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  Core& core;
  const NodeId node;
  const HandleId inner;
  const uint32_t flags;
  const bool is_dir;
  const bool holds_node;  // a user of the node in the cache
  uint32_t port = 0;
  uint64_t client = 0, lease_key = 0, parent_lease_key = 0;
  std::atomic<bool> written{false};  // leases of the directory go at the end
  bool lists = false;                // a directory whose listing may be kept, as the provider says when it changes
  bool released = false;             // the provider has heard already
  op::Release last;                  // what the door said of the release
  std::mutex m;                      // a leaf: guards what follows
  std::vector<std::pair<uint64_t, bool>> owners;  // that took a lock through this: owner, whole_file
  Reading reading;                                // of a directory
};

/// A volume's state, shared by its ports. Also what the provider tells.
class Core final : public Upcalls {
 public:
  Core(FileSystem& f, const VolumeOptions& o);
  ~Core() override;

  FileSystem& fs;
  const VolumeOptions options;
  Traits traits;  // of fs, after start()
  Cache cache;
  Places places;
  Hub hub;
  Watches watches;
  Opens opens;
  LockTable locks;
  Exports exports;

  // Provider calls that took too long and have not ended.
  std::atomic<unsigned> hung{0};
  /// All provider calls under way.
  std::atomic<int64_t> under_way{0};
  /// False: so many hang that the provider is taken for dead.
  bool admits() const { return hung.load(std::memory_order_relaxed) < options.most_hung; }
  void ended() {
    if (under_way.fetch_sub(1, std::memory_order_acq_rel) == 1) under_way.notify_all();
  }
  void wait_idle();
  /// Shared by the ports that have the same deadline.
  Timers& timers(std::chrono::milliseconds deadline);

  void give_back(Forgets&& forgets);
  void leave(NodeId node, uint64_t users = 1) {
    Forgets out;
    cache.leave(node, users, out);
    give_back(std::move(out));
  }

  // Open files, by the handle that doors have.
  uint32_t new_port() { return next_port_.fetch_add(1, std::memory_order_relaxed) + 1; }
  HandleId new_handle() { return HandleId{next_handle_.fetch_add(1, std::memory_order_relaxed) + 1}; }
  void put(HandleId h, std::shared_ptr<OpenFile> f);
  std::shared_ptr<OpenFile> find(HandleId h) const;
  std::shared_ptr<OpenFile> take(HandleId h);
  /// All that belong to a port, or to one client of it.
  std::vector<HandleId> handles_of(uint32_t port, const uint64_t* client) const;
  /// Drops locks, the open and the lease of a handle, and the handle.
  std::shared_ptr<OpenFile> end_handle(HandleId h);
  size_t handles() const;

  /// What a listing of the node's directory says of it has changed: leases of that directory go, and nobody waits.
  void tell_directory(NodeId node, const Actor& who);

  /// Lock owners of different doors and clients never meet.
  uint64_t owner_of(const Actor& who, uint64_t owner) const;
  /// Locks are the provider's.
  bool provider_locks() const { return fs.capabilities().has(Op::SetLock); }

  // Upcalls: of the provider.
  void invalidate_node(NodeId, uint64_t offset, uint64_t length) override;
  void invalidate_attr(NodeId) override;
  void invalidate_entry(NodeId dir, std::string_view name) override;
  void invalidate_all_names() override;
  void deleted(NodeId dir, NodeId child, std::string_view name) override;
  void store(NodeId, uint64_t offset, const Buffer&) override;
  Status retrieve(NodeId, uint64_t offset, size_t length, Taker, void* self) override;
  void poll_ready(NodeId, HandleId, uint32_t events) override;
  void changed(NodeId dir, std::string_view name, uint32_t what) override;
  void break_lease(NodeId, HandleId, uint8_t bits) override;

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable std::mutex m;
    std::unordered_map<HandleId, std::shared_ptr<OpenFile>> files;
  };
  Shard& shard_of(HandleId h) { return files_[raw(h) % kShards]; }
  const Shard& shard_of(HandleId h) const { return files_[raw(h) % kShards]; }
  /// The door's handles of a provider's handle.
  std::vector<std::pair<HandleId, uint32_t>> doors_handles(NodeId node, HandleId inner) const;

  const SipKey owner_key_;
  std::atomic<uint64_t> next_handle_{0};
  std::atomic<uint32_t> next_port_{0};
  std::array<Shard, kShards> files_;
  std::mutex timers_m_;                                                  // a leaf: guards timers_
  std::map<std::chrono::milliseconds, std::unique_ptr<Timers>> timers_;  // last: their threads use the rest
};

}  // namespace isthmus::volume
