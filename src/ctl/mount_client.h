#pragma once
#include <vector>

#include "ctl/mounts.h"
#include "ctl/source.h"
#include "ctl/ways.h"

namespace isthmus::ctl {

/// Serves `source` by a door of SMB or WebDAV and has a client of this machine mount that (docs/webdav.md, "Mounting").
/// Returns as run_mount(). `inherited`: descriptors that a server in the background must not keep.
Failure run_mount_client(const MountJob& job, const Source& source, const WayHere& way,
                         const std::vector<int>& inherited);

}  // namespace isthmus::ctl
