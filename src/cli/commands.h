#pragma once
#include <optional>
#include <string>
#include <vector>

#include "ctl/fusetest.h"
#include "ctl/host.h"
#include "ctl/smb_job.h"
#include "ctl/webdav_job.h"

namespace isthmus::cli {

/// What the command line said, for one sub-command each.
struct SourceArguments {
  std::string source, cache, trace_file;
  std::vector<std::string> source_options;
  std::optional<std::string> trace;  ///< "text" or "json"
  bool no_progress = false;
};
struct MountArguments : SourceArguments {
  std::string mountpoint, log_file, via = "fuse";
  std::vector<std::string> options;
  unsigned timeout = 30;  ///< seconds
  bool foreground = false;
};
struct ServeArguments : SourceArguments {
  std::optional<std::string> webdav_at;  ///< there is to be a WebDAV door; its `at`
  ctl::WebdavJob webdav;
  std::optional<std::string> smb_at;  ///< the same of an SMB door
  ctl::SmbJob smb;
  std::optional<std::string> userfs;  ///< the same of a userfs door
  std::string fuse, log_file;
  std::vector<std::string> options;
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
int serve_command(const ServeArguments& arguments);
int run_command(const RunArguments& arguments);
int host_command(const ctl::HostJob& job);
int fusetest_command(const ctl::FuseTestJob& job);
int list_command(bool json, bool prometheus);
int doctor_command(bool json);
int help_command(const std::string& topic);
int generate_command(const std::string& what);

/// The end of --help: exit statuses.
std::string exit_status_help();

}  // namespace isthmus::cli
