#pragma once
#include <sys/types.h>

#include "base/fd.h"
#include "base/problem.h"
#include "doors/fuse/mount.h"
#include "doors/fuse/unmount.h"

namespace isthmus::fuse {

/// A small process beside the server that takes its mount away: when asked, because umount(2) waits for the server and
/// a process that serves a mount must not wait for itself; and, for auto_unmount as root, when the server is gone.
/// Start it before any thread exists. It holds nothing open but its end of a socket.
class Keeper {
 public:
  static Expected<Keeper> start();
  Keeper(Keeper&&) = default;
  Keeper& operator=(Keeper&&) = default;
  /// Ends the keeper; the mount stays as it is.
  ~Keeper();

  /// Names the mount. `on_death`: unmount it when this process ends without having destroyed the Keeper.
  Status arm(const Mounted& mounted, bool on_death);
  /// Asks for an unmount; the answer arrives at fd(). One request at a time.
  Status request(UnmountHow how);
  /// Readable when there is an answer.
  int fd() const { return socket_.get(); }
  /// The answer: success also when the mount was gone already. ECHILD: the keeper is gone.
  Status take_answer();

 private:
  explicit Keeper(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace isthmus::fuse
