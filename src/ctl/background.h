#pragma once
#include <optional>

#include "ctl/mounts.h"
#include "doors/fuse/serve_background.h"

namespace isthmus::ctl {

/// For a server that goes to the background when its mount answers. No thread may run yet.
struct Background {
  fuse::Announcer announcer;       ///< of the process that serves
  std::optional<Failure> outcome;  ///< in the process that was started: all is said, it ends so
};
/// Forks.
Background go_to_background(unsigned answer_seconds);

/// Tells the one that waits, if any, why it was over. What nobody is told goes to the log.
Failure tell_outcome(fuse::Announcer& announcer, fuse::ServeOutcome outcome, bool foreground);

}  // namespace isthmus::ctl
