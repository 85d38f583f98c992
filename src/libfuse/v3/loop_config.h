#pragma once
#include <isthmus/fuse3/fuse_common.h>

#include <climits>

/// Programs only hold pointers to it, but for libfuse's own tests: members are where the original has them. The
/// defaults are those of fuse_loop_cfg_create().
struct fuse_loop_config {
  /// In the place of fuse_loop_config_v1::clone_fd, which is 0 or 1: tells a program that passes the struct of before
  /// 3.12 to functions of today.
  static constexpr int kVersion = INT_MAX - 2;

  int version = kVersion;
  int clone_fd = 0;           // for custom I/O; the device is cloned whatever it says
  int max_idle_threads = -1;  // -1: not limited. The line has as few threads as it can anyway
  unsigned max_threads = 10;
};
