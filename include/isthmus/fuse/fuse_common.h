/// What the two interfaces, fuse.h (paths) and fuse_lowlevel.h (nodes), have in common. Layouts and numbers are those
/// of libfuse.so.2 (2.9.9). C and C++.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "fuse_opt.h"

#define FUSE_MAJOR_VERSION 2
#define FUSE_MINOR_VERSION 9
#define FUSE_MAKE_VERSION(maj, min) ((maj)*10 + (min))
#define FUSE_VERSION FUSE_MAKE_VERSION(FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION)

#if !defined(_FILE_OFFSET_BITS) || _FILE_OFFSET_BITS != 64
#error Please add -D_FILE_OFFSET_BITS=64 to your compile flags!
#endif

#ifndef FUSE_C_DECLARATIONS
#ifdef __cplusplus
#define FUSE_C_DECLARATIONS extern "C" {
#define FUSE_C_END }
#else
#define FUSE_C_DECLARATIONS
#define FUSE_C_END
#endif
#endif

FUSE_C_DECLARATIONS

/// An open file or directory, as it travels between library and file system.
struct fuse_file_info {
  int flags;                       ///< of open(2), in open and release
  unsigned long fh_old;            ///< fh, where programs for versions before 2.5 look
  int writepage;                   ///< (write) from the page cache, later, and perhaps by another process
  unsigned int direct_io : 1;      ///< answer of open: no page cache
  unsigned int keep_cache : 1;     ///< answer of open: what is cached stays valid
  unsigned int flush : 1;          ///< (release, high level) flush as well
  unsigned int nonseekable : 1;    ///< answer of open
  unsigned int flock_release : 1;  ///< (release) give back flock(2) locks of lock_owner
  unsigned int padding : 27;
  uint64_t fh;          ///< the file system's, from open, opendir or create
  uint64_t lock_owner;  ///< in lock operations and flush
};

// Bits of fuse_conn_info's capable and want.
#define FUSE_CAP_ASYNC_READ (1 << 0)      ///< several reads of a file at a time
#define FUSE_CAP_POSIX_LOCKS (1 << 1)     ///< fcntl(2) locks are asked of the file system
#define FUSE_CAP_ATOMIC_O_TRUNC (1 << 3)  ///< open() gets O_TRUNC, instead of a truncate before it
#define FUSE_CAP_EXPORT_SUPPORT (1 << 4)  ///< lookup() of "." and ".." works for any node
#define FUSE_CAP_BIG_WRITES (1 << 5)      ///< writes of more than a page
#define FUSE_CAP_DONT_MASK (1 << 6)       ///< the umask is left to the file system
#define FUSE_CAP_SPLICE_WRITE (1 << 7)    ///< splice(2) to the device
#define FUSE_CAP_SPLICE_MOVE (1 << 8)     ///< and moves pages
#define FUSE_CAP_SPLICE_READ (1 << 9)     ///< splice(2) from the device
#define FUSE_CAP_FLOCK_LOCKS (1 << 10)    ///< flock(2) locks are asked of the file system
#define FUSE_CAP_IOCTL_DIR (1 << 11)      ///< ioctl(2) of directories

// Flags of ioctl().
#define FUSE_IOCTL_COMPAT (1 << 0)        ///< a 32-bit caller on a 64-bit kernel
#define FUSE_IOCTL_UNRESTRICTED (1 << 1)  ///< the file system may ask for any of the caller's memory
#define FUSE_IOCTL_RETRY (1 << 2)
#define FUSE_IOCTL_DIR (1 << 4)
#define FUSE_IOCTL_MAX_IOV 256

/// What is settled with the kernel. init() may change async_read, max_write, max_readahead, want, max_background and
/// congestion_threshold.
struct fuse_conn_info {
  unsigned proto_major, proto_minor;
  unsigned async_read;     ///< the same as FUSE_CAP_ASYNC_READ in want
  unsigned max_write;      ///< bytes
  unsigned max_readahead;  ///< bytes
  unsigned capable;        ///< FUSE_CAP_* that the kernel has
  unsigned want;           ///< FUSE_CAP_* that the file system wants
  unsigned max_background, congestion_threshold;
  unsigned reserved[23];
};

struct fuse_session;
struct fuse_chan;
struct fuse_pollhandle;

/// Takes out of `args` the options that concern the mount, and mounts. Null after an error, which has been told.
struct fuse_chan* fuse_mount(const char* mountpoint, struct fuse_args* args);
/// Unmounts and destroys the channel, which may be null.
void fuse_unmount(const char* mountpoint, struct fuse_chan* ch);

/// Takes out of `args` what is for main(): -f, -s, the mountpoint (to be freed)... Each pointer may be null. 0 or -1.
int fuse_parse_cmdline(struct fuse_args* args, char** mountpoint, int* multithreaded, int* foreground);

/// Goes on in a background process, without terminal and with "/" as its folder, unless `foreground`. The caller's
/// process ends when the other one is there. Threads do not come along.
int fuse_daemonize(int foreground);

int fuse_version(void);  ///< FUSE_VERSION of the library

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

FUSE_C_END

// Programs for versions before 2.6.
#if defined(FUSE_USE_VERSION) && FUSE_USE_VERSION < 26
#include "fuse_common_compat.h"
#undef FUSE_MINOR_VERSION
#define fuse_unmount fuse_unmount_compat22
#if FUSE_USE_VERSION == 25
#define FUSE_MINOR_VERSION 5
#define fuse_mount fuse_mount_compat25
#elif FUSE_USE_VERSION == 24 || FUSE_USE_VERSION == 22
#define FUSE_MINOR_VERSION 4
#define fuse_mount fuse_mount_compat22
#elif FUSE_USE_VERSION == 21
#define FUSE_MINOR_VERSION 1
#define fuse_mount fuse_mount_compat22
#elif FUSE_USE_VERSION == 11
#undef FUSE_MAJOR_VERSION
#define FUSE_MAJOR_VERSION 1
#define FUSE_MINOR_VERSION 1
#define fuse_mount fuse_mount_compat1
#else
#error FUSE_USE_VERSION is none of 11, 21, 22, 24, 25 and 26 to 29
#endif
#endif
