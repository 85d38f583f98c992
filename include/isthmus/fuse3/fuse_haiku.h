/// Haiku's extension of FUSE (UserlandFS): a file system of paths tells about its volume. One that finds
/// FUSE_CAP_HAIKU_FUSE_EXTENSIONS in fuse_conn_info::capable sets it in `want`, and its ioctl() is called for "/" with
/// FUSE_HAIKU_GET_DRIVE_INFO, `arg` the fs_info to be filled, no file, the size of it as flags and no data. Not in
/// libfuse3.so.4, where the bit means something else. C and C++.
#pragma once
#include <stdint.h>

#define FUSE_CAP_HAIKU_FUSE_EXTENSIONS (1U << 31)
#define FUSE_HAIKU_GET_DRIVE_INFO 0x48474449  // "HGDI"

// fs_info's flags. Those above 8 describe what this library has no use for.
#define B_FS_IS_READONLY 0x00000001
#define B_FS_IS_REMOVABLE 0x00000002
#define B_FS_IS_PERSISTENT 0x00000004
#define B_FS_IS_SHARED 0x00000008
#define B_FS_HAS_MIME 0x00010000
#define B_FS_HAS_ATTR 0x00020000
#define B_FS_HAS_QUERY 0x00040000

/// Of a volume; sizes are in bytes, counts in blocks. Names end with a NUL.
struct fs_info {
  int32_t dev;
  int64_t root;
  uint32_t flags;
  int64_t block_size, io_size, total_blocks, free_blocks, total_nodes, free_nodes;
  char device_name[128];
  char volume_name[256];
  char fsh_name[32];
};
