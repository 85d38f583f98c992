/// File systems as services: a mount helper (mount.service) starts the program through systemd, hands it arguments,
/// /dev/fuse and files over a socket, and mounts for it. libfuse's interface since 3.19, of libfuse3.so.4. This library
/// does not speak to that helper: fuse_service_accept() says that the program is no service, or, where a helper's
/// socket is there, refuses with -EOPNOTSUPP and a message. A program then mounts as others do. C and C++.
#pragma once
#include "fuse_common.h"

#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fuse_service;
struct fuse_cmdline_opts;
struct fuse_operations;

#define FUSE_SERVICE_REQUEST_FILE_QUIET (1U << 0)

/// *sfp null and 0: not started as a service.
int fuse_service_accept(struct fuse_service** sfp);
static inline bool fuse_service_accepted(struct fuse_service* sf) { return sf != NULL; }
void fuse_service_release(struct fuse_service* sf);
void fuse_service_destroy(struct fuse_service** sfp);
/// The program's arguments in one line, to be freed; null where there is no memory.
char* fuse_service_cmdline(int argc, char* argv[], struct fuse_args* args);
/// fuse_parse_cmdline(), but the mountpoint need not be there.
int fuse_service_parse_cmdline_opts(struct fuse_args* args, struct fuse_cmdline_opts* opts);
/// What main() is to return: EXIT_SUCCESS, or EXIT_FAILURE if ret is not 0.
int fuse_service_exit(int ret);

// With a service, which never is: false, or -EOPNOTSUPP and a message.
bool fuse_service_can_allow_other(struct fuse_service* sf);
bool fuse_service_can_fuseblk(struct fuse_service* sf);
int fuse_service_append_args(struct fuse_service* sf, struct fuse_args* args);
int fuse_service_request_file(struct fuse_service* sf, const char* path, int open_flags, mode_t create_mode,
                              unsigned int request_flags);
int fuse_service_request_blockdev(struct fuse_service* sf, const char* path, int open_flags, mode_t create_mode,
                                  unsigned int request_flags, unsigned int block_size);
int fuse_service_receive_file(struct fuse_service* sf, const char* path, int* fdp);
int fuse_service_finish_file_requests(struct fuse_service* sf);
void fuse_service_expect_mount_format(struct fuse_service* sf, mode_t expected_fmt);
int fuse_service_session_mount(struct fuse_service* sf, struct fuse_session* se, mode_t expected_fmt,
                               struct fuse_cmdline_opts* opts);
int fuse_service_send_goodbye(struct fuse_service* sf, int exitcode);
/// 1, and a message.
int fuse_service_main_real_versioned(struct fuse_service* sf, int argc, char* argv[], const struct fuse_operations* op,
                                     size_t op_size, struct libfuse_version* version, void* private_data);

#ifdef __cplusplus
}
#endif
