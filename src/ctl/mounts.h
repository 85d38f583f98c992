#pragma once
#include <string>
#include <vector>

#include "base/log.h"
#include "ctl/exit_codes.h"
#include "ctl/registry.h"
#include "doors/fuse/serve.h"

/// What `isthmus mount` and `isthmus unmount` do, without the command line around them.
namespace isthmus::ctl {

/// A source of the command line, and what its options say besides.
struct SourceJob {
  std::string source;
  std::vector<std::pair<std::string, std::string>> source_options;  ///< added to the source's own
  std::vector<std::string> decorators;                              ///< put in front, the outermost first
  SourceHooks hooks;
};
Expected<Source> settled_source(const SourceJob& job);

struct ProgramJob;

struct MountJob : SourceJob {
  std::string mountpoint;
  std::string via = "fuse";  ///< ways.h
  /// Other ways than fuse: a program whose files are served, in the place of a source; it names the mountpoint.
  const ProgramJob* program = nullptr;
  std::vector<std::string> options;  ///< each a list as after -o
  bool foreground = false;
  unsigned answer_seconds = 30;  ///< how long the mount may take until it answers
  std::string log_file;          ///< empty: stderr in the foreground, the journal in the background
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

/// Of one that could not be parsed.
ExitCode exit_code_of_source(const Problem& problem);
/// Of a life of a mount.
ExitCode exit_code_of(const fuse::ServeOutcome& outcome);
/// A source that mirrors a folder and a mountpoint inside of it.
Expected<Unit> check_not_inside(const Source& source, const std::string& mountpoint);

/// `-o` options, for help.
std::string mount_options_help();
/// For the manual page: each option as troff (man macros), from the same table.
std::string mount_options_man();
/// For completions: "ro", "max_read=".
std::vector<std::string> mount_option_words();
/// "isthmus 0.1.0".
std::string version();

}  // namespace isthmus::ctl
