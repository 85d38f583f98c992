/// What the two interfaces, fuse.h (paths) and fuse_lowlevel.h (nodes), have in common. C and C++.
///
/// There are two libraries, whose structs differ: libfuse3.so.3, with the layouts that Debian 12 has (3.14.0), and
/// libfuse3.so.4, libfuse's since 3.17 (3.19 here). ISTHMUS_FUSE3_SO says which one a program is compiled for, 3 or 4;
/// each library's fuse3.pc defines it. Without it the version asked for decides.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fuse_log.h"
#include "fuse_opt.h"

#define FUSE_MAKE_VERSION(maj, min) ((maj)*100 + (min))
#ifndef ISTHMUS_FUSE3_SO
#if defined(FUSE_USE_VERSION) && FUSE_USE_VERSION > FUSE_MAKE_VERSION(3, 12)
#define ISTHMUS_FUSE3_SO 4
#else
#define ISTHMUS_FUSE3_SO 3
#endif
#endif
#if ISTHMUS_FUSE3_SO >= 4
#include <assert.h>
#endif

#define FUSE_MAJOR_VERSION 3
#if ISTHMUS_FUSE3_SO >= 4
#define FUSE_MINOR_VERSION 19
#else
#define FUSE_MINOR_VERSION 14
#endif
#define FUSE_HOTFIX_VERSION 0
#define FUSE_VERSION FUSE_MAKE_VERSION(FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION)

/// The version of the interface that a program is written for, e.g. 31 or FUSE_MAKE_VERSION(3, 12).
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION FUSE_VERSION
#endif
#if FUSE_USE_VERSION < 30
#error FUSE_USE_VERSION below 30 is the interface of libfuse 2
#endif
#if ISTHMUS_FUSE3_SO < 4 && FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
#error FUSE_USE_VERSION 317 and above is of libfuse3.so.4: use the fuse3.pc of the folder so4
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
#if ISTHMUS_FUSE3_SO >= 4
  unsigned int parallel_direct_writes : 1;  ///< answer of open, with direct_io: several writes at a time
  unsigned int kill_suidgid : 1;  ///< (open, create, write; FUSE_CAP_HANDLE_KILLPRIV_V2) setuid and setgid are to go
  unsigned int padding : 22;
  unsigned int padding2 : 32;
  unsigned int padding3 : 32;
#else
  unsigned int padding : 24;
  unsigned int padding2 : 32;
#endif
  uint64_t fh;          ///< the file system's, from open, opendir or create
  uint64_t lock_owner;  ///< in lock operations and flush
  uint32_t poll_events;
#if ISTHMUS_FUSE3_SO >= 4
  int32_t backing_id;  ///< answer of open and create: of fuse_passthrough_open(); 0: none
  uint64_t compat_flags, reserved[2];
#endif
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
#if ISTHMUS_FUSE3_SO >= 4
#define FUSE_CAP_HANDLE_KILLPRIV_V2 (1 << 21)    ///< setuid bits are cleared when a request says so
#define FUSE_CAP_SETXATTR_EXT (1 << 27)          ///< accepted; the library reads both forms
#define FUSE_CAP_DIRECT_IO_ALLOW_MMAP (1 << 28)  ///< shared mmap(2) of files with direct_io
#define FUSE_CAP_PASSTHROUGH (1 << 29)           ///< fuse_passthrough_open() works
#define FUSE_CAP_NO_EXPORT_SUPPORT (1 << 30)     ///< nodes cannot be found again once forgotten: no NFS
#define FUSE_CAP_OVER_IO_URING (1UL << 31)       ///< never offered: requests come by the device
#define FUSE_CAP_ALLOW_IDMAP (1ULL << 32)        ///< never offered
#define FUSE_CAP_SECURITY_CTX (1ULL << 33)       ///< never offered
#endif

// Flags of ioctl().
#define FUSE_IOCTL_COMPAT (1 << 0)        ///< a 32-bit caller on a 64-bit kernel
#define FUSE_IOCTL_UNRESTRICTED (1 << 1)  ///< the file system may ask for any of the caller's memory
#define FUSE_IOCTL_RETRY (1 << 2)
#define FUSE_IOCTL_DIR (1 << 4)
#define FUSE_IOCTL_MAX_IOV 256

#if ISTHMUS_FUSE3_SO >= 4
// fuse_conn_info's max_backing_stack_depth.
#define FUSE_BACKING_STACKED_UNDER 0  ///< backing files are on a store that is not stacked, e.g. no overlay
#define FUSE_BACKING_STACKED_OVER 1   ///< they may be; nothing stacked can lie over this file system then
#endif

/// What is settled with the kernel. init() may change want, max_write, max_read, max_readahead, max_background,
/// congestion_threshold and time_gran; of libfuse3.so.4 want_ext, max_backing_stack_depth and request_timeout, too.
struct fuse_conn_info {
  unsigned proto_major, proto_minor;
  unsigned max_write;      ///< bytes
  unsigned max_read;       ///< bytes, the same as the mount option max_read; 0: no limit
  unsigned max_readahead;  ///< bytes
  unsigned capable;        ///< FUSE_CAP_* that the kernel has
  unsigned want;           ///< FUSE_CAP_* that the file system wants
  unsigned max_background, congestion_threshold;
  unsigned time_gran;  ///< nanoseconds, of stored times: a power of ten; 0: 1
#if ISTHMUS_FUSE3_SO >= 4
  unsigned max_backing_stack_depth;
  unsigned no_interrupt : 1;            ///< interrupts are not told
  unsigned io_uring_single_issuer : 1;  ///< no effect
  unsigned padding : 30;
  uint64_t capable_ext, want_ext;  ///< all bits; the lower 32 are in capable and want as well
  uint16_t request_timeout;        ///< seconds after which the kernel cuts off a server that does not answer; 0: none
  uint16_t reserved[31];
#else
  unsigned reserved[22];
#endif
};

struct fuse_session;
struct fuse_pollhandle;
struct fuse_conn_info_opts;
struct libfuse_version;
struct statx;

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
#if ISTHMUS_FUSE3_SO >= 4
  size_t mem_size;  ///< of `mem`, where that is the library's to fill: fuse_session_receive_buf()
#endif
};

/// Several buffers; idx and off say how far they are used up.
struct fuse_bufvec {
  size_t count, idx, off;
  struct fuse_buf buf[1];
};

/// One piece of memory, still to be given.
#if ISTHMUS_FUSE3_SO >= 4
#define FUSE_BUFVEC_INIT(size__) \
  __extension__((struct fuse_bufvec){1, 0, 0, {{(size__), (enum fuse_buf_flags)0, NULL, -1, 0, 0}}})
#else
#define FUSE_BUFVEC_INIT(size__) \
  __extension__((struct fuse_bufvec){1, 0, 0, {{(size__), (enum fuse_buf_flags)0, NULL, -1, 0}}})
#endif

size_t fuse_buf_size(const struct fuse_bufvec* bufv);
/// Copies until either is used up, and moves both on. Bytes copied; or a negative errno if there were none.
ssize_t fuse_buf_copy(struct fuse_bufvec* dst, struct fuse_bufvec* src, enum fuse_buf_copy_flags flags);

/// SIGHUP, SIGINT and SIGTERM make the session exit, SIGPIPE is ignored; those that have a handler already keep it.
int fuse_set_signal_handlers(struct fuse_session* se);
void fuse_remove_signal_handlers(struct fuse_session* se);

#if ISTHMUS_FUSE3_SO >= 4
/// SIGSEGV and its like are told with where they happened, and unmount, before they end the process.
int fuse_set_fail_signal_handlers(struct fuse_session* se);

/// Wants a capability, for init(): true if the kernel has it.
bool fuse_set_feature_flag(struct fuse_conn_info* conn, uint64_t flag);
void fuse_unset_feature_flag(struct fuse_conn_info* conn, uint64_t flag);
bool fuse_get_feature_flag(struct fuse_conn_info* conn, uint64_t flag);  ///< whether the kernel has it
/// Brings `want` and `want_ext` in line after a program has written to one of them. 0, or -EINVAL: to both.
int fuse_convert_to_conn_want_ext(struct fuse_conn_info* conn);

// Of fuse_conn_info, by number: io_uring_single_issuer, no_interrupt. False: there is no such flag.
#define FUSE_CONN_FLAG_SINGLE_ISSUER (1U << 0)
#define FUSE_CONN_FLAG_NO_INTERRUPT (1U << 1)
bool fuse_set_conn_flag(struct fuse_conn_info* conn, uint64_t flag);

/// The version of the headers that a program was compiled with.
struct libfuse_version {
  uint32_t major, minor, hotfix, padding;
};
#endif

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
