/// What WinFsp adds to libfuse's interface, for file systems of paths: flags and times of Windows, names in the case
/// they have, news of changes. Defined before fuse.h is included, FUSE_WINFSP_OPERATIONS adds the callbacks to
/// fuse_operations. They are called if init() sets their bit of fuse_conn_info::want. In libfuse.so.2 and
/// libfuse3.so.3; other libraries know neither. C and C++.
#pragma once
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct fuse;

/// getattr() and, for names it gives attributes of, readdir() fill a fuse_stat_ex, and chflags(), setcrtime() and
/// setchgtime() are called.
#define FUSE_CAP_STAT_EX (1U << 22)
/// Names that differ in case are one; getpath() tells a file's path as it is written.
#define FUSE_CAP_CASE_INSENSITIVE (1U << 2)

struct fuse_stat_ex {
  struct stat st;
  struct timespec st_birthtim;  ///< zero: unknown
  uint32_t st_flags;            ///< UF_*
  uint32_t st_reserved32[3];
  uint64_t st_reserved64[2];
};

// Flags of macOS and BSD, which stand for Windows' attributes.
#ifndef UF_HIDDEN
#define UF_SYSTEM 0x00000080
#define UF_ARCHIVE 0x00000800
#define UF_READONLY 0x00001000
#define UF_HIDDEN 0x00008000
#endif

// Actions of fuse_notify(), one or several.
#define FUSE_NOTIFY_MKDIR 0x0001
#define FUSE_NOTIFY_RMDIR 0x0002
#define FUSE_NOTIFY_CREATE 0x0004
#define FUSE_NOTIFY_UNLINK 0x0008
#define FUSE_NOTIFY_CHMOD 0x0010
#define FUSE_NOTIFY_CHOWN 0x0020
#define FUSE_NOTIFY_UTIME 0x0040
#define FUSE_NOTIFY_CHFLAGS 0x0080
#define FUSE_NOTIFY_TRUNCATE 0x0100

#ifdef __cplusplus
extern "C" {
#endif
/// The program's files have changed by themselves: what is cached of the path is dropped, and whoever watches is told.
/// 0 or a negative errno; -EINVAL: an action that is none.
int fuse_notify(struct fuse* f, const char* path, uint32_t action);
#ifdef __cplusplus
}
#endif
