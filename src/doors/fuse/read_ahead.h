#pragma once
#include <cstdint>
#include <optional>

#include "doors/fuse/mount.h"

namespace isthmus::fuse {

/// How far the kernel reads ahead on a mount that answers, in bytes; empty: 1 MiB. INIT can only lower the kernel's own
/// 128 KiB, the mount's backing device info (sysfs-class-bdi(5)) can raise it, for root. After INIT's answer, which
/// sets it too. A mount lives without it: what goes wrong is only logged.
void set_read_ahead(const Mounted& mounted, std::optional<uint32_t> bytes);

}  // namespace isthmus::fuse
