#pragma once
/// The Linux FUSE kernel protocol, 7.23 to 7.45, declared anew from the facts of include/uapi/linux/fuse.h.
/// Structs (structs.h), bits (flags.h), requests (opcodes.def, opcodes.h), ioctls and io_uring (device.h).
#include "wire/fuse/device.h"   // IWYU pragma: export
#include "wire/fuse/flags.h"    // IWYU pragma: export
#include "wire/fuse/opcodes.h"  // IWYU pragma: export
#include "wire/fuse/structs.h"  // IWYU pragma: export
