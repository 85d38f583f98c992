#pragma once
#include <string>
#include <vector>

#include "base/log.h"
#include "ctl/exit_codes.h"
#include "ctl/registry.h"

/// What `isthmus mount` and `isthmus unmount` do, without the command line around them.
namespace isthmus::ctl {

struct MountJob {
  std::string source, mountpoint;
  std::vector<std::string> options;                                 ///< each a list as after -o
  std::vector<std::pair<std::string, std::string>> source_options;  ///< added to the source's own
  std::vector<std::string> decorators;                              ///< put in front, the outermost first
  bool foreground = false;
  unsigned answer_seconds = 30;  ///< how long the mount may take until it answers
  std::string log_file;          ///< empty: stderr in the foreground, the journal in the background
  SourceHooks hooks;
};

/// Why a command failed, and the exit status that says so.
struct Failure {
  ExitCode code = kExitOk;
  Problem problem;
  bool reported = false;  ///< another process tells it
};

/// Mounts and serves (doors/fuse/serve.h). Returns when all is over: in the parent of a background server when the
/// mount answers. code kExitOk: nothing to tell.
Failure run_mount(const MountJob& job);

/// Unmounts `path` and, if one of our servers is behind it, waits until that has finished its work.
Failure run_unmount(const std::string& path, bool lazy, bool force);

/// `-o` options, for help.
std::string mount_options_help();
/// For the manual page: each option as troff (man macros), from the same table.
std::string mount_options_man();
/// For completions: "ro", "max_read=".
std::vector<std::string> mount_option_words();
/// "isthmus 0.1.0".
std::string version();

}  // namespace isthmus::ctl
