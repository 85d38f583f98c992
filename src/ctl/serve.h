#pragma once
#include <optional>
#include <string>
#include <vector>

#include "ctl/mounts.h"
#include "ctl/smb_job.h"
#include "ctl/userfs_job.h"
#include "ctl/webdav_job.h"

/// What `isthmus serve` does: one file system, several doors.
namespace isthmus::ctl {

struct ServeJob : SourceJob {
  std::optional<WebdavJob> webdav;
  std::optional<SmbJob> smb;
  std::optional<UserfsJob> userfs;
  std::string mountpoint;                  ///< of the kernel FUSE door; empty: none
  std::vector<std::string> mount_options;  ///< each a list as after -o
  std::string log_file;
};

/// Serves until a signal comes, or the mountpoint is unmounted. What clients need to know is written to standard
/// output.
Failure run_serve(const ServeJob& job);

}  // namespace isthmus::ctl
