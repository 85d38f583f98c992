#pragma once
#include "control/status.h"
#include "doors/fuse/fuse_door.h"
#include "vfs/counters.h"

namespace isthmus::control {

/// What every process that serves a mount by the kernel FUSE door says alike: who it is, the door's figures and the
/// operations counted. `source`, `mountpoint` and `started` are the caller's.
Status describe(const fuse::SessionStats& stats, const Counters& counters);

}  // namespace isthmus::control
