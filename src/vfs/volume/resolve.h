#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "vfs/volume/port.h"

namespace isthmus {

struct ResolveOptions {
  NodeId root = NodeId::root;  ///< of the export; held by the caller
  bool follow_last = true;     ///< a symlink at the end is followed too
};

/// Where a path leads. The caller gives both nodes back: give_back().
struct Resolved {
  NodeId parent = NodeId::none;    ///< none: the path is the export's root
  std::string name;                ///< in parent; after symlinks, so it may differ from the path's last component
  Entry entry;                     ///< node none: there is no such name in parent, but it may be made
  bool must_be_directory = false;  ///< a missing name was asked for with a slash at its end
};

/// Walks a path of the client's, "/" between names, empty and "." components skipped. Symlinks are followed as if the
/// export were all there is: absolute targets start at its root and ".." at the root stays there; so no path leaves it.
/// ENOENT: a directory on the way is missing. ENOTDIR, ELOOP after 40 symlinks, EACCES, ENAMETOOLONG (a name beyond
/// Traits::name_max, a path beyond 64 KiB with its symlinks), EINVAL for a NUL. `done` runs once, on this thread if all
/// answers are there, else on the one that brings the last; `port` must live until then.
void resolve(VolumePort& port, const Context& ctx, std::string_view path, const ResolveOptions& options,
             std::function<void(Result<Resolved>)> done);

void give_back(VolumePort& port, const Context& ctx, const Resolved& r);

}  // namespace isthmus
