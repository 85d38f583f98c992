#pragma once
#include <functional>
#include <memory>

#include "vfs/decorator.h"
#include "vfs/volume/share_modes.h"
#include "vfs/volume/volume.h"
#include "vfs/volume/watch.h"

namespace isthmus {

namespace volume {
struct PortFacts;
}

/// One door's way into a Volume. Operations are submitted as to any FileSystem, and what the waist says of them holds,
/// with these additions (docs/volume.md):
/// - Context::cred is who asks; the port checks what they may. Context::client is the door's number for the client (a
///   session); Context::lease_key names the lease a request comes under.
/// - Lookup and Getattr may be answered from the cache. Every Entry counts one lookup at the port, to be given back.
/// - ReadDir with attributes works over every provider (Traits::dir_attr).
/// - Open, Create and Tmpfile always give a handle, with O_TRUNC obeyed; share modes in the way are EBUSY. Operations
///   that a share mode forbids (unlink, rename) are EBUSY, too.
/// - SetLock and GetLock work over every provider; Lock::owner need only be unique among this door's owners.
/// - SetLease{handle, bits} asks for a lease of the open's lease_key and answers what is granted. When another's use
///   conflicts, the door hears Upcalls::break_lease(node, handle, bits left), has time to write back, and answers with
///   SetLease{handle, bits or fewer} or Release; the other waits meanwhile. Hearing of it again before it has answered
///   the door knows that it is too late, and the lease gone.
/// - NodeToExport gives handles that cannot be forged and works over every provider; ExportToNode says ESTALE for
///   forged ones and for those of files that are gone.
/// - A provider that does not answer in time is ETIMEDOUT. What a request lent (names, data, `into`) is not used after
///   the answer; Write data that Buffer::keep() owns is not copied for that.
class VolumePort final : public Decorator<VolumePort> {
 public:
  ~VolumePort() override;
  Status start(Upcalls& up) override;
  void stop() override;
  Traits traits() const override;
  Capabilities capabilities() const override;
  /// 1 and up; tells apart in WatchEvent who did something.
  uint32_t id() const;

  /// Watches what `ctx` may read. `wake` is called when there is something to take() after there was nothing: any
  /// thread, no lock held, and never after the Watching has been destroyed. The node is held for as long.
  void watch(const Context& ctx, const WatchWish& wish, std::function<void()> wake,
             std::function<void(Result<std::unique_ptr<Watching>>)> done);
  /// One more lookup of a node that the door holds.
  void hold(NodeId node);
  /// The name of an open file of the door's is going to go: others' handle leases do already. Nobody waits.
  void going(const Context& ctx, NodeId node, HandleId handle);
  /// A client has gone without closing what it had open: its handles are released, its locks and leases end.
  void client_gone(uint64_t client);

  /// For Decorator.
  template <class T>
  void around(Pending<T>& p);

 private:
  friend class Volume;
  VolumePort(volume::Core& core, std::shared_ptr<const volume::PortFacts> facts);
  void release_all(const uint64_t* client);

  volume::Core& core_;
  const std::shared_ptr<const volume::PortFacts> facts_;
  bool joined_ = false;
};

}  // namespace isthmus
