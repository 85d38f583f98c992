#pragma once
#include <cstdint>
#include <functional>
#include <string_view>

#include "vfs/buffer.h"
#include "vfs/types.h"

namespace isthmus {

/// Provider to doors: what a kernel, a client or a watcher must hear. Any thread; hold no lock that an operation takes,
/// because a door may have to wait until its kernel has finished one (docs/threads.md). Unknown nodes are ignored.
class Upcalls {
 public:
  virtual ~Upcalls() = default;
  /// Cached data of [offset, offset + length) and the attributes are stale; length 0: to the end of the file.
  virtual void invalidate_node(NodeId, uint64_t /*offset*/, uint64_t /*length*/) {}
  /// Only the attributes are stale.
  virtual void invalidate_attr(NodeId) {}
  /// The name may now mean something else, or nothing.
  virtual void invalidate_entry(NodeId /*dir*/, std::string_view /*name*/) {}
  /// Every name may now mean something else: news was lost.
  virtual void invalidate_all_names() {}
  /// The name is gone and was `child`: watchers of it hear so too.
  virtual void deleted(NodeId /*dir*/, NodeId /*child*/, std::string_view /*name*/) {}
  /// Puts data into the doors' caches, where they have any.
  virtual void store(NodeId, uint64_t /*offset*/, const Buffer&) {}
  /// Asks a door's cache for data of [offset, offset + length); `taker` gets what there is, from another thread, once.
  /// ENOSYS: no door keeps a cache.
  using Taker = void (*)(void* self, NodeId, uint64_t offset, Bytes data);
  virtual Status retrieve(NodeId, uint64_t /*offset*/, size_t /*length*/, Taker /*taker*/, void* /*self*/) {
    return err(ENOSYS);
  }
  /// Runs `done` once, when the door's clients have heard all news told so far: here, or later on another thread.
  virtual void when_heard(std::function<void()> done) { done(); }
  /// An armed op::Poll has something to say.
  virtual void poll_ready(NodeId, HandleId, uint32_t /*events*/) {}
  /// Something changed in `dir`; what: WatchBits.
  virtual void changed(NodeId /*dir*/, std::string_view /*name*/, uint32_t /*what*/) {}
  /// A lease shrinks to `bits`; the holder answers by SetLease or Release.
  virtual void break_lease(NodeId, HandleId, uint8_t /*bits*/) {}
};

}  // namespace isthmus
