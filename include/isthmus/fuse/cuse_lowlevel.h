/// Character devices in user space: libfuse's interface. There for programs to be compiled; this library does not serve
/// devices, and says so when it is asked to. C and C++.
#pragma once
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 29
#endif
#include "fuse_lowlevel.h"

FUSE_C_DECLARATIONS

#define CUSE_UNRESTRICTED_IOCTL (1 << 0)

struct cuse_info {
  unsigned dev_major, dev_minor;
  unsigned dev_info_argc;
  const char** dev_info_argv;
  unsigned flags;
};

struct cuse_lowlevel_ops {
  void (*init)(void* userdata, struct fuse_conn_info* conn);
  void (*init_done)(void* userdata);
  void (*destroy)(void* userdata);
  void (*open)(fuse_req_t req, struct fuse_file_info* fi);
  void (*read)(fuse_req_t req, size_t size, off_t off, struct fuse_file_info* fi);
  void (*write)(fuse_req_t req, const char* buf, size_t size, off_t off, struct fuse_file_info* fi);
  void (*flush)(fuse_req_t req, struct fuse_file_info* fi);
  void (*release)(fuse_req_t req, struct fuse_file_info* fi);
  void (*fsync)(fuse_req_t req, int datasync, struct fuse_file_info* fi);
  void (*ioctl)(fuse_req_t req, int cmd, void* arg, struct fuse_file_info* fi, unsigned int flags, const void* in_buf,
                size_t in_bufsz, size_t out_bufsz);
  void (*poll)(fuse_req_t req, struct fuse_file_info* fi, struct fuse_pollhandle* ph);
};

/// Null, and a message.
struct fuse_session* cuse_lowlevel_new(struct fuse_args* args, const struct cuse_info* ci,
                                       const struct cuse_lowlevel_ops* clop, void* userdata);
/// Null, and a message.
struct fuse_session* cuse_lowlevel_setup(int argc, char* argv[], const struct cuse_info* ci,
                                         const struct cuse_lowlevel_ops* clop, int* multithreaded, void* userdata);
void cuse_lowlevel_teardown(struct fuse_session* se);
/// 1, and a message.
int cuse_lowlevel_main(int argc, char* argv[], const struct cuse_info* ci, const struct cuse_lowlevel_ops* clop,
                       void* userdata);

FUSE_C_END
