#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "ctl/doctor.h"

/// The ways to mount a source: by the kernel's FUSE driver, or by a client of SMB or WebDAV that systems come with.
namespace isthmus::ctl {

enum class Way : uint8_t {
  fuse,
  cifs,    ///< the kernel's client of SMB, as root
  davfs2,  ///< mount.davfs(8), as root
  gio,     ///< gvfs, in a session of a user
};

/// A way, and whether this machine offers it to this user.
struct WayHere {
  Way way;
  std::string_view name;
  std::string_view door = {};  ///< whose client it is: "smb", "webdav"; empty: FUSE's, which needs none
  bool offered = false;
  std::string detail;  ///< what it is; or why not
  std::string fix;     ///< a command that would change a no; may be empty
};

constexpr std::string_view kNoCifs = "this kernel has no client of SMB (cifs: CONFIG_CIFS)";

/// The best first. Mounts nothing.
std::vector<WayHere> ways_here();

/// For `--via NAME`: "auto" is the best of all ways, "smb" and "webdav" of those by such a door, others name one.
Expected<WayHere> choose_way(std::string_view via);
/// What --via takes.
std::vector<std::string> via_names();

/// For `isthmus doctor`.
void check_ways(std::vector<Finding>& to);

/// Commands that mount `url` on other systems and by hand, ready to be pasted, a line each.
std::string client_commands(const std::string& url);

}  // namespace isthmus::ctl
