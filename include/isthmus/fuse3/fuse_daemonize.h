/// Going to the background before mounting, so that whoever started the program hears whether the mount came to be:
/// libfuse's interface since 3.19, of libfuse3.so.4. C and C++.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_DAEMONIZE_NO_CHDIR (1 << 0)       ///< the working directory stays
#define FUSE_DAEMONIZE_NO_BACKGROUND (1 << 1)  ///< the process stays

/// Before fuse_session_mount(). Returns in a process of its own; the caller's ends when fuse_daemonize_early_success()
/// or _fail() is called there, or it is gone. Standard output and error stay until then. 0 or a negative errno.
int fuse_daemonize_early_start(unsigned int flags);
/// The caller's process ends with 0. The library calls it when INIT has been answered. Nothing if it was not started.
void fuse_daemonize_early_success(void);
/// The caller's process ends with `err`.
void fuse_daemonize_early_fail(int err);
/// Started, and in the background or waiting for a word.
bool fuse_daemonize_early_is_active(void);

#ifdef __cplusplus
}
#endif
