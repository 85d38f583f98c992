#pragma once
#include <optional>
#include <string>
#include <vector>

#include "ctl/mounts.h"

/// What `isthmus host` does: FUSE daemons as they are, whatever they are written in.
namespace isthmus::ctl {

struct HostJob {
  std::vector<std::string> command;  ///< the daemon as for execvp(3), and its arguments, with its mountpoint
  std::string via = "auto";          ///< the door (ways.h)
  std::string way_in = "auto";       ///< kWaysIn
  bool isolated = false, foreground = false;
  unsigned answer_seconds = 30;
  std::string log_file;  ///< as of MountJob
};

/// Hosts it, and mounts its files where it says. As run_mount() otherwise.
Failure run_host(const HostJob& job);
std::vector<std::string> ways_in();

/// When this process was started by the name fusermount: what that program answers.
std::optional<int> as_fusermount(int argc, char** argv);

}  // namespace isthmus::ctl
