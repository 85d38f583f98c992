#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::fuse {

/// One mount of this process's mount namespace, from /proc/self/mountinfo (proc_pid_mountinfo(5)). Reading it never
/// asks a file system anything, so a hung server cannot hang the reader.
struct MountEntry {
  int id = 0, parent = 0;
  uint32_t major = 0, minor = 0;  ///< of st_dev; for FUSE, minor is the number below /sys/fs/fuse/connections
  std::string path, type, source;
  bool is_fuse() const { return type == "fuse" || type == "fuseblk" || type.starts_with("fuse."); }
};

/// In the order of mounting. Empty if /proc is not there.
std::vector<MountEntry> mount_table();
std::vector<MountEntry> parse_mountinfo(std::string_view text);
std::optional<MountEntry> mount_by_id(int id);
/// The topmost mount exactly at `path`, which is absolute and free of symbolic links.
std::optional<MountEntry> mount_at(std::string_view path);

/// `path` made absolute, its folder's symbolic links resolved, without looking at the last component: it may be a
/// mount whose server is gone or hangs. Empty if the folder does not exist.
std::string absolute_mountpoint(const std::string& path);

/// The path under which `path` is in the mount table, a link to a mountpoint resolved: absolute_mountpoint() where that
/// is a mount, else the real path. Does not look at a mount. Empty as absolute_mountpoint().
std::string mounted_path(const std::string& path);

/// What the file system at a path says, asked by a child process that is left behind when it takes longer than
/// `limit_ms`.
struct Probe {
  bool answered = false;
  int error = 0;  ///< errno when answered
  uint32_t mode = 0;
  uint32_t dev_major = 0, dev_minor = 0;
};
Probe probe(const std::string& path, int limit_ms);

}  // namespace isthmus::fuse
