#pragma once
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus::wire::fuse {

/// The device's name in what follows a CuseInitOut: texts "KEY=VALUE" with a NUL behind each, of which the last DEVNAME
/// counts (cuse_parse_devinfo() in fs/fuse/cuse.c). A '/' in it is '!', as in sysfs, so that it is one name. EINVAL: it
/// is too long, its end is missing, or no name that can be a file's is in it.
Result<std::string> cuse_device_name(Bytes info);

}  // namespace isthmus::wire::fuse
