/// What fuse_common.h was before version 2.6. C and C++.
#pragma once
#include "fuse_common.h"

FUSE_C_DECLARATIONS

/// Before 2.5: the start of a fuse_file_info, with fh where fh_old is.
struct fuse_file_info_compat {
  int flags;
  unsigned long fh;
  int writepage;
  unsigned int direct_io : 1;
  unsigned int keep_cache : 1;
};

// The descriptor of the device, or -1.
int fuse_mount_compat25(const char* mountpoint, struct fuse_args* args);
int fuse_mount_compat22(const char* mountpoint, const char* opts);
int fuse_mount_compat1(const char* mountpoint, const char* args[]);
void fuse_unmount_compat22(const char* mountpoint);

FUSE_C_END
