/// What the two interfaces, fuse.h (paths) and fuse_lowlevel.h (nodes), have in common. Layouts and numbers are those
/// of libfuse3.so.3 as Debian 12 has it (3.14.0). C and C++.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "fuse_log.h"
#include "fuse_opt.h"

#define FUSE_MAJOR_VERSION 3
#define FUSE_MINOR_VERSION 14
#define FUSE_MAKE_VERSION(maj, min) ((maj)*100 + (min))
#define FUSE_VERSION FUSE_MAKE_VERSION(FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION)

/// The version of the interface that a program is written for, e.g. 31 or FUSE_MAKE_VERSION(3, 12).
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION FUSE_VERSION
#endif
#if FUSE_USE_VERSION < 30
#error FUSE_USE_VERSION below 30 is the interface of libfuse 2
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// An open file or directory, as it travels between library and file system.
struct fuse_file_info {
  int flags;                       ///< of open(2), in open, create and release
  unsigned int writepage : 1;      ///< (write) from the page cache, later, and perhaps by another process
  unsigned int direct_io : 1;      ///< answer of open: no page cache
  unsigned int keep_cache : 1;     ///< answer of open: what is cached stays valid
  unsigned int flush : 1;          ///< (release, high level) flush as well
  unsigned int nonseekable : 1;    ///< answer of open
  unsigned int flock_release : 1;  ///< (release) give back flock(2) locks of lock_owner
  unsigned int cache_readdir : 1;  ///< answer of opendir: listings may be cached
  unsigned int noflush : 1;        ///< answer of open: close(2) need not flush
  unsigned int padding : 24;
  unsigned int padding2 : 32;
  uint64_t fh;          ///< the file system's, from open, opendir or create
  uint64_t lock_owner;  ///< in lock operations and flush
  uint32_t poll_events;
};

/// How fuse_session_loop_mt() and fuse_loop_mt() are to run. Opaque from version 3.12 on.
#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
struct fuse_loop_config_v1;
struct fuse_loop_config {
#else
struct fuse_loop_config;
struct fuse_loop_config_v1 {
#endif
  int clone_fd;                   ///< each thread reads a descriptor of its own
  unsigned int max_idle_threads;  ///< more than these leave when idle
};

// Bits of fuse_conn_info's capable and want.
#define FUSE_CAP_ASYNC_READ (1 << 0)            ///< several reads of a file at a time
#define FUSE_CAP_POSIX_LOCKS (1 << 1)           ///< fcntl(2) locks are asked of the file system
#define FUSE_CAP_ATOMIC_O_TRUNC (1 << 3)        ///< open() gets O_TRUNC, instead of a setattr after it
#define FUSE_CAP_EXPORT_SUPPORT (1 << 4)        ///< lookup() of "." and ".." works for any node
#define FUSE_CAP_DONT_MASK (1 << 6)             ///< the umask is left to the file system
#define FUSE_CAP_SPLICE_WRITE (1 << 7)          ///< splice(2) to the device
#define FUSE_CAP_SPLICE_MOVE (1 << 8)           ///< and moves pages
#define FUSE_CAP_SPLICE_READ (1 << 9)           ///< splice(2) from the device
#define FUSE_CAP_FLOCK_LOCKS (1 << 10)          ///< flock(2) locks are asked of the file system
#define FUSE_CAP_IOCTL_DIR (1 << 11)            ///< ioctl(2) of directories
#define FUSE_CAP_AUTO_INVAL_DATA (1 << 12)      ///< cached data goes when mtime or size change
#define FUSE_CAP_READDIRPLUS (1 << 13)          ///< listings with attributes
#define FUSE_CAP_READDIRPLUS_AUTO (1 << 14)     ///< where the kernel expects them to be used
#define FUSE_CAP_ASYNC_DIO (1 << 15)            ///< several requests of direct I/O at a time
#define FUSE_CAP_WRITEBACK_CACHE (1 << 16)      ///< the kernel gathers writes
#define FUSE_CAP_NO_OPEN_SUPPORT (1 << 17)      ///< ENOSYS from open(): never ask again
#define FUSE_CAP_PARALLEL_DIROPS (1 << 18)      ///< several lookups and listings of a directory at a time
#define FUSE_CAP_POSIX_ACL (1 << 19)            ///< the kernel obeys POSIX ACLs
#define FUSE_CAP_HANDLE_KILLPRIV (1 << 20)      ///< the file system clears setuid bits on write and chown
#define FUSE_CAP_CACHE_SYMLINKS (1 << 23)       ///< targets of links are cached
#define FUSE_CAP_NO_OPENDIR_SUPPORT (1 << 24)   ///< ENOSYS from opendir(): never ask again
#define FUSE_CAP_EXPLICIT_INVAL_DATA (1 << 25)  ///< cached data goes only when the file system says so
#define FUSE_CAP_EXPIRE_ONLY (1 << 26)          ///< fuse_lowlevel_notify_expire_entry() works

// Flags of ioctl().
#define FUSE_IOCTL_COMPAT (1 << 0)        ///< a 32-bit caller on a 64-bit kernel
#define FUSE_IOCTL_UNRESTRICTED (1 << 1)  ///< the file system may ask for any of the caller's memory
#define FUSE_IOCTL_RETRY (1 << 2)
#define FUSE_IOCTL_DIR (1 << 4)
#define FUSE_IOCTL_MAX_IOV 256

/// What is settled with the kernel. init() may change want, max_write, max_read, max_readahead, max_background,
/// congestion_threshold and time_gran.
struct fuse_conn_info {
  unsigned proto_major, proto_minor;
  unsigned max_write;      ///< bytes
  unsigned max_read;       ///< bytes, the same as the mount option max_read; 0: no limit
  unsigned max_readahead;  ///< bytes
  unsigned capable;        ///< FUSE_CAP_* that the kernel has
  unsigned want;           ///< FUSE_CAP_* that the file system wants
  unsigned max_background, congestion_threshold;
  unsigned time_gran;  ///< nanoseconds, of stored times: a power of ten; 0: 1
  unsigned reserved[22];
};

struct fuse_session;
struct fuse_pollhandle;
struct fuse_conn_info_opts;

/// Takes those -o options out of `args` that concern fuse_conn_info ("max_readahead=", "no_async_read"...). Null: an
/// error, which has been logged. To be freed by free(3).
struct fuse_conn_info_opts* fuse_parse_conn_info_opts(struct fuse_args* args);
/// For init().
void fuse_apply_conn_info_opts(struct fuse_conn_info_opts* opts, struct fuse_conn_info* conn);

/// Goes on in a background process, without terminal and with "/" as its folder, unless `foreground`. The caller's
/// process ends when the other one is there. Threads do not come along.
int fuse_daemonize(int foreground);

int fuse_version(void);  ///< FUSE_VERSION of the library
const char* fuse_pkgversion(void);

void fuse_pollhandle_destroy(struct fuse_pollhandle* ph);

/// What a buffer is.
enum fuse_buf_flags {
  FUSE_BUF_IS_FD = (1 << 1),    ///< a descriptor, not memory
  FUSE_BUF_FD_SEEK = (1 << 2),  ///< at `pos`, not at the descriptor's own offset
  FUSE_BUF_FD_RETRY = (1 << 3)  ///< go on after a short read or write, until the end or an error
};

enum fuse_buf_copy_flags {
  FUSE_BUF_NO_SPLICE = (1 << 1),
  FUSE_BUF_FORCE_SPLICE = (1 << 2),
  FUSE_BUF_SPLICE_MOVE = (1 << 3),
  FUSE_BUF_SPLICE_NONBLOCK = (1 << 4)
};

struct fuse_buf {
  size_t size;
  enum fuse_buf_flags flags;
  void* mem;
  int fd;
  off_t pos;
};

/// Several buffers; idx and off say how far they are used up.
struct fuse_bufvec {
  size_t count, idx, off;
  struct fuse_buf buf[1];
};

/// One piece of memory, still to be given.
#define FUSE_BUFVEC_INIT(size__) \
  __extension__((struct fuse_bufvec){1, 0, 0, {{(size__), (enum fuse_buf_flags)0, NULL, -1, 0}}})

size_t fuse_buf_size(const struct fuse_bufvec* bufv);
/// Copies until either is used up, and moves both on. Bytes copied; or a negative errno if there were none.
ssize_t fuse_buf_copy(struct fuse_bufvec* dst, struct fuse_bufvec* src, enum fuse_buf_copy_flags flags);

/// SIGHUP, SIGINT and SIGTERM make the session exit, SIGPIPE is ignored; those that have a handler already keep it.
int fuse_set_signal_handlers(struct fuse_session* se);
void fuse_remove_signal_handlers(struct fuse_session* se);

struct fuse_loop_config* fuse_loop_cfg_create(void);
void fuse_loop_cfg_destroy(struct fuse_loop_config* config);
void fuse_loop_cfg_set_idle_threads(struct fuse_loop_config* config, unsigned int value);
void fuse_loop_cfg_set_max_threads(struct fuse_loop_config* config, unsigned int value);
void fuse_loop_cfg_set_clone_fd(struct fuse_loop_config* config, unsigned int value);
void fuse_loop_cfg_convert(struct fuse_loop_config* config, struct fuse_loop_config_v1* v1_conf);

#ifdef __cplusplus
}
static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
#else
_Static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
#endif
