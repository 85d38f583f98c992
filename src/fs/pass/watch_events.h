#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "fs/pass/sys.h"

namespace isthmus::fs::pass {

/// A store's number, as statfs(2) and fanotify(7) give it.
using FsId = std::array<int32_t, 2>;

/// One event of a fanotify group with FAN_REPORT_DFID_NAME and FAN_REPORT_FID.
struct FsEvent {
  uint64_t mask = 0;  ///< FAN_...
  int pid = 0;        ///< 0: of another pid namespace
  FsId store{};
  KernelHandle dir, self;  ///< each empty where the kernel did not say
  std::string name;        ///< in dir
  KernelHandle to_dir;     ///< FAN_RENAME: where it is now
  std::string to_name;
};

/// The event at the start of `bytes`, which it takes off; nullopt at the end, and when it makes no sense. `own_pid`:
/// events of this process come without handles, for speed.
std::optional<FsEvent> next_event(Bytes& bytes, int own_pid);

/// The inode number within a kernel handle of ext4, XFS, Btrfs, tmpfs or F2FS; of others it may be wrong or missing.
std::optional<uint64_t> inode_in(const KernelHandle& handle);

/// Mount points below `folder` (a path as mountinfo shows it), each relative to it, from the text of
/// /proc/self/mountinfo, sorted. One that is hidden or mounted over more than once appears each time.
std::vector<std::string> mount_points_below(std::string_view mountinfo, std::string_view folder);

}  // namespace isthmus::fs::pass
