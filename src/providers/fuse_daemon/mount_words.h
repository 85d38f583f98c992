#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace isthmus::fuse_daemon {

/// What a daemon says when it mounts, by mount(2) or by fusermount.
struct Mount {
  std::string target;  ///< the mountpoint, absolute
  std::string fsname, subtype;
  bool read_only = false, allow_other = false, default_permissions = false, block_device = false;
  bool character_device = false;  ///< nothing is mounted: it has opened /dev/cuse
  uint32_t max_read = 0;          ///< bytes; 0: not said
  int device = -1;                ///< the daemon's descriptor (fd=); -1: not said
};

/// "fuse", "fuseblk", and these with ".SUBTYPE".
bool is_fuse_type(std::string_view type);

/// Options separated by commas, "\," a comma inside of a value, as fusermount has them after -o and the kernel in
/// mount(2)'s data. Unknown ones are passed over.
void take_options(std::string_view options, Mount& to);

/// Of mount(2), all but the target. `flags`: its mountflags.
Mount take_mount(std::string_view source, std::string_view type, unsigned long flags, std::string_view data);

}  // namespace isthmus::fuse_daemon
