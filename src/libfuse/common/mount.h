#pragma once
#include "libfuse/common/session.h"

namespace isthmus::libfuse {

/// An error has been told.
std::optional<Mount> mount_at(const char* mountpoint, const fuse::MountOptions& options);
/// Takes it away unless it is somebody else's.
void unmount(Mount mount);

/// 0, or -1 after an error, which has been told.
int mount_session(fuse_session& se, const char* mountpoint);
void unmount_session(fuse_session& se);

}  // namespace isthmus::libfuse
