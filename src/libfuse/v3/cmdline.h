#pragma once
#include <isthmus/fuse3/fuse_lowlevel.h>

namespace isthmus::libfuse {

/// fuse_parse_cmdline(). there: the mountpoint must be, and its path is made absolute. 0 or -1.
int parse_cmdline(fuse_args& args, fuse_cmdline_opts& o, bool there);

}  // namespace isthmus::libfuse
