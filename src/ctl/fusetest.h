#pragma once
#include <string>
#include <vector>

#include "ctl/mounts.h"

/// What `isthmus fusetest` does: a kernel's questions to a FUSE daemon, with no kernel and no mount.
namespace isthmus::ctl {

struct FuseTestJob {
  std::vector<std::string> command;  ///< the daemon as for execvp(3), and its arguments; "{}" is its mountpoint
  std::string way_in = "auto";       ///< kWaysIn
  bool isolated = false;
  bool keep_off = false;   ///< makes nothing: only what reads
  std::string junit_file;  ///< empty: none is written
};

/// Starts the daemon, checks it, and prints a table. kExitFailure: a check has failed.
Failure run_fusetest(const FuseTestJob& job);

}  // namespace isthmus::ctl
