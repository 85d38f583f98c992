#pragma once
#include "doors/fuse/mount.h"

namespace isthmus::fuse {

/// Mounts with the kernel's calls. EPERM: not allowed here.
Expected<Mounted> mount_direct(Mountpoint& point, const MountOptions& options, uint32_t root_type,
                               const std::string& source, const std::string& type);

/// What the options ask of mount(2), as MS_* flags.
unsigned long mount_flags(const MountOptions& options);

}  // namespace isthmus::fuse
