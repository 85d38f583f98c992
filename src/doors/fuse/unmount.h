#pragma once
#include <string>
#include <vector>

#include "base/problem.h"
#include "doors/fuse/mount_table.h"

namespace isthmus::fuse {

enum class UnmountHow : uint8_t {
  plain,  ///< EBUSY while somebody uses the mount
  lazy,   ///< out of sight at once, gone when the last user leaves
  force,  ///< requests under way fail (the connection is aborted), then lazy
};

/// A process that keeps a mount busy, and by what: "cwd", "root", "exe", "fd 5", "map".
struct MountUser {
  int pid = 0;
  std::string name, by;
};

/// Processes with something open below mount `m`, as far as this user may see. Asks the file system nothing.
std::vector<MountUser> users_of(const MountEntry& m);

/// Unmounts a FUSE mount at `path`, ours or anybody's, alive, hung or stale: with umount2(2) as root, with fusermount3
/// as an ordinary user. A Problem with EBUSY names the users. `also`: another type that may be mounted there.
Expected<Unit> unmount(const std::string& path, UnmountHow how, std::string_view also = {});

/// The bare act for one mount, without explanations; for the keeper and for clean-up. Errno of the system call, or
/// EBUSY or EPERM for what the helper says.
Status unmount_entry(const MountEntry& m, UnmountHow how);

/// Makes every request of a FUSE connection fail, through fusectl. Root, or the mount's owner where fusectl is mounted.
Status abort_connection(uint32_t connection);

}  // namespace isthmus::fuse
