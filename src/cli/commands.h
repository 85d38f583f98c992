#pragma once
#include <optional>
#include <string>
#include <vector>

namespace isthmus::cli {

/// What the command line said, for one sub-command each.
struct MountArguments {
  std::string source, mountpoint, log_file, cache, trace_file;
  std::vector<std::string> options, source_options;
  std::optional<std::string> trace;  ///< "text" or "json"
  unsigned timeout = 30;             ///< seconds
  bool foreground = false, no_progress = false;
};
struct UnmountArguments {
  std::vector<std::string> mountpoints;
  bool lazy = false, force = false;
};
struct RunArguments {
  std::vector<std::string> command;
  std::string via = "fuse", trace_file;
  std::optional<std::string> trace;  ///< "text" or "json"
  bool check = false;
};

// Each does its work, tells about failures on stderr and returns the exit status (ctl/exit_codes.h).
int mount_command(const MountArguments& arguments);
int unmount_command(const UnmountArguments& arguments);
int run_command(const RunArguments& arguments);
int list_command(bool json);
int doctor_command(bool json);
int help_command(const std::string& topic);
int generate_command(const std::string& what);

/// The end of --help: exit statuses.
std::string exit_status_help();

}  // namespace isthmus::cli
