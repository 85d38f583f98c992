#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "vfs/call.h"

namespace isthmus {

/// Byte-range locks (fcntl(2): POSIX and OFD, told apart by their owners only) and flock(2) locks, which are a world of
/// their own, of all files of one file system. A lock that must wait takes no thread: its Call is kept and answered by
/// whoever makes room, in the order of asking as far as they conflict.
///
/// Every method may be called by any thread. Calls are answered with no lock held. Locks, in this order: a shard's
/// mutex, the wait graph's mutex; both are leaves for everybody else.
class LockTable {
 public:
  /// Held ranges of one file system; a client that wants more gets ENOLCK.
  static constexpr size_t kMaxHeld = size_t{1} << 20;

  LockTable();
  ~LockTable();
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;

  /// The first held lock in the way of `want`, or one of type unlock. EINVAL for an empty range.
  Result<Lock> get(NodeId node, const Lock& want, bool whole_file = false) const;

  /// Sets or gives back a lock, as op::SetLock says. A range replaces what its owner held there: older locks are split,
  /// shrunk and merged. EAGAIN, EDEADLK (owners waiting in a circle; not for flock), ENOLCK, EINVAL, EINTR when
  /// cancelled. As in Linux, changing the type of a flock gives the old one up first.
  void set(Call<op::SetLock> call);

  /// All byte-range locks of `owner` on `node` are gone (close(2) of any of its descriptors). Waiters stay.
  void release_owner(NodeId node, uint64_t owner);
  /// The flock of `owner`, by the last close of its open file.
  void release_flock(NodeId node, uint64_t owner);
  /// Everything that was taken through `handle`: OFD and flock locks of doors that do not name owners at release.
  void release_handle(NodeId node, HandleId handle);
  /// The file is gone: waiters get EIO.
  void forget(NodeId node);

  /// Held ranges and flocks of all files; waiters. For tests and metrics.
  size_t held() const;
  size_t waiting() const;

 private:
  struct Core;
  struct Waiter;
  // Shared with cancel functions, which may still be around when the table is gone.
  std::shared_ptr<Core> core_;
};

}  // namespace isthmus
