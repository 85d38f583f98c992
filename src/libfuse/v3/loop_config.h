#pragma once
#include <isthmus/fuse3/fuse_common.h>

/// Programs only hold pointers to it. The defaults are those of fuse_loop_cfg_create().
struct fuse_loop_config {
  int clone_fd = 0;                        // the door clones descriptors whatever it says
  unsigned max_idle_threads = UINT32_MAX;  // the line has as few threads as it can anyway
  unsigned max_threads = 10;
};
