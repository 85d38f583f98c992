#pragma once
#include <string>
#include <vector>

#include "ctl/mounts.h"

/// What `isthmus run` does: programs on our libfuse.
namespace isthmus::ctl {

struct RunJob {
  std::vector<std::string> command;  ///< the program as for execvp(3), and its arguments
  std::string via = "fuse";          ///< the door
  std::optional<std::string> trace;  ///< "text" or "json"
  std::string trace_file;            ///< empty: standard error
};

/// Whether the program is one that our libfuse in `folder` can run; warns where only programs that it starts may use
/// it.
Expected<Unit> check_runs(const std::string& program, const std::string& folder);

/// $LD_LIBRARY_PATH with `folder` before what is in it.
std::string library_path(const std::string& folder);
/// Sets the environment so that programs run from here load the libfuses in `folder`, and are in `isthmus list`.
void use_our_libfuse(const std::string& folder);

/// Runs the program in the place of this one, so that its exit status, its signals and its going to the background are
/// its own. Returns only when that cannot be done.
Failure run_program(const RunJob& job);

/// Prints what check_program() finds; the exit status says the verdict.
Failure run_check(const std::string& program);

}  // namespace isthmus::ctl
