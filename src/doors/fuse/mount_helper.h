#pragma once
#include <string>
#include <vector>

#include "doors/fuse/mount.h"

namespace isthmus::fuse {

/// Mounts with fusermount3, which hands the device over a socket named by _FUSE_COMMFD. What the helper prints is in
/// the Problem.
Expected<Mounted> mount_by_helper(const Mountpoint& point, const MountOptions& options, const std::string& source,
                                  const std::string& type);

/// Runs a program with nothing of ours open but stdin (/dev/null), stdout and stderr (a pipe) and `pass` (as descriptor
/// 3, named by the environment variable `pass_name`), until it ends, or when `pass` is given, until `meanwhile`
/// returns.
struct HelperRun {
  int status = -1;     ///< exit status; -1: could not be run or was killed; only meaningful after it ended
  std::string output;  ///< what it printed, at most 4 KiB
};
HelperRun run_helper(const std::vector<std::string>& arguments);

}  // namespace isthmus::fuse
