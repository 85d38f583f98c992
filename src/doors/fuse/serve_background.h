#pragma once
#include <sys/types.h>

#include "base/fd.h"
#include "doors/fuse/serve.h"

namespace isthmus::fuse {

/// The child's end of the pipe to the parent that waits in the foreground. Without a pipe (serving in the foreground)
/// nothing happens.
class Announcer {
 public:
  Announcer() = default;
  explicit Announcer(Fd pipe) : pipe_(std::move(pipe)) {}
  /// Leaves the terminal (new session, "/", /dev/null for stdio) and lets the parent go.
  void ready(const Mounted& mounted);
  /// Gives the parent the bad news; true if it will tell them.
  bool failed(const ServeOutcome& outcome);

 private:
  Fd pipe_;
};

/// In the parent: waits for the child's word, then sees for itself whether the mount answers. A mount that does not is
/// taken away together with the child.
ServeOutcome wait_for_server(pid_t child, Fd pipe, unsigned answer_seconds);

}  // namespace isthmus::fuse
