#pragma once
#include <optional>

#include "ctl/mounts.h"
#include "doors/fuse/serve_background.h"

namespace isthmus::ctl {

/// A server that goes to the background when its mount answers, unless it is to stay in front.
struct Background {
  fuse::Announcer announcer;       ///< of the process that serves
  std::optional<Failure> outcome;  ///< it serves nothing: the process that was started, or after an error
};
/// Opens the log, if one is named, and forks. No thread may run yet.
Background begin_server(const std::string& log_file, bool foreground, unsigned answer_seconds);

/// Tells the one that waits, if any, why it was over. What nobody is told goes to the log.
Failure tell_outcome(fuse::Announcer& announcer, fuse::ServeOutcome outcome, bool foreground);

}  // namespace isthmus::ctl
