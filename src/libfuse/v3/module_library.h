#pragma once
#include "libfuse/common/modules.h"

namespace isthmus::libfuse {

/// FindModule: libraries of version 3 have a variable fuse_module_NAME_factory.
Module find_module(const std::string& name);

}  // namespace isthmus::libfuse
