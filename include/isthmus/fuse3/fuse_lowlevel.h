/// File systems by nodes: each callback answers its request by one fuse_reply_...(), then or later, from any thread.
/// libfuse's interface, versions 3.0 to 3.19. C and C++.
#pragma once
#include "fuse_common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <utime.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_ROOT_ID 1

typedef uint64_t fuse_ino_t;
typedef struct fuse_req* fuse_req_t;

/// A name's answer; counts as one lookup of the node. ino 0: there is no such name, for entry_timeout.
struct fuse_entry_param {
  fuse_ino_t ino;
  uint64_t generation;  ///< differs when a number is used again for another file
  struct stat attr;
  double attr_timeout, entry_timeout;  ///< seconds
};

/// Who asks.
struct fuse_ctx {
  uid_t uid;
  gid_t gid;
  pid_t pid;
  mode_t umask;
};

struct fuse_forget_data {
  fuse_ino_t ino;
  uint64_t nlookup;
};

/// In place of read(2), writev(2) and splice(2) on the device. The last two may be null.
struct fuse_custom_io {
  ssize_t (*writev)(int fd, struct iovec* iov, int count, void* userdata);
  ssize_t (*read)(int fd, void* buf, size_t buf_len, void* userdata);
  ssize_t (*splice_receive)(int fdin, off_t* offin, int fdout, off_t* offout, size_t len, unsigned int flags,
                            void* userdata);
  ssize_t (*splice_send)(int fdin, off_t* offin, int fdout, off_t* offout, size_t len, unsigned int flags,
                         void* userdata);
#if ISTHMUS_FUSE3_SO >= 4
  int (*clone_fd)(int master_fd);  ///< may be null; for each thread of a loop that is to have descriptors of its own
#endif
};

#if ISTHMUS_FUSE3_SO >= 4
enum fuse_notify_entry_flags { FUSE_LL_INVALIDATE = 0, FUSE_LL_EXPIRE_ONLY = (1 << 0) };
#else
enum fuse_expire_flags { FUSE_LL_EXPIRE_ONLY = (1 << 0) };
#endif

// Bits of setattr()'s to_set.
#define FUSE_SET_ATTR_MODE (1 << 0)
#define FUSE_SET_ATTR_UID (1 << 1)
#define FUSE_SET_ATTR_GID (1 << 2)
#define FUSE_SET_ATTR_SIZE (1 << 3)
#define FUSE_SET_ATTR_ATIME (1 << 4)
#define FUSE_SET_ATTR_MTIME (1 << 5)
#define FUSE_SET_ATTR_ATIME_NOW (1 << 7)
#define FUSE_SET_ATTR_MTIME_NOW (1 << 8)
#define FUSE_SET_ATTR_FORCE (1 << 9)
#define FUSE_SET_ATTR_CTIME (1 << 10)
#define FUSE_SET_ATTR_KILL_SUID (1 << 11)
#define FUSE_SET_ATTR_KILL_SGID (1 << 12)
#define FUSE_SET_ATTR_FILE (1 << 13)
#define FUSE_SET_ATTR_KILL_PRIV (1 << 14)
#define FUSE_SET_ATTR_OPEN (1 << 15)
#define FUSE_SET_ATTR_TIMES_SET (1 << 16)
#define FUSE_SET_ATTR_TOUCH (1 << 17)

/// Null where there is none: the kernel hears ENOSYS, or a sensible answer (open and opendir succeed, statfs says
/// nothing special). Strings and buffers given are valid until the callback returns.
struct fuse_lowlevel_ops {
  void (*init)(void* userdata, struct fuse_conn_info* conn);
  void (*destroy)(void* userdata);
  void (*lookup)(fuse_req_t req, fuse_ino_t parent, const char* name);
  void (*forget)(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
  void (*getattr)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*setattr)(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set, struct fuse_file_info* fi);
  void (*readlink)(fuse_req_t req, fuse_ino_t ino);
  void (*mknod)(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev);
  void (*mkdir)(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode);
  void (*unlink)(fuse_req_t req, fuse_ino_t parent, const char* name);
  void (*rmdir)(fuse_req_t req, fuse_ino_t parent, const char* name);
  void (*symlink)(fuse_req_t req, const char* link, fuse_ino_t parent, const char* name);
  void (*rename)(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t newparent, const char* newname,
                 unsigned int flags);
  void (*link)(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char* newname);
  void (*open)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*read)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info* fi);
  void (*write)(fuse_req_t req, fuse_ino_t ino, const char* buf, size_t size, off_t off, struct fuse_file_info* fi);
  void (*flush)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*release)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*fsync)(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info* fi);
  void (*opendir)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*readdir)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info* fi);
  void (*releasedir)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*fsyncdir)(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info* fi);
  void (*statfs)(fuse_req_t req, fuse_ino_t ino);
  void (*setxattr)(fuse_req_t req, fuse_ino_t ino, const char* name, const char* value, size_t size, int flags);
  void (*getxattr)(fuse_req_t req, fuse_ino_t ino, const char* name, size_t size);
  void (*listxattr)(fuse_req_t req, fuse_ino_t ino, size_t size);
  void (*removexattr)(fuse_req_t req, fuse_ino_t ino, const char* name);
  void (*access)(fuse_req_t req, fuse_ino_t ino, int mask);
  void (*create)(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, struct fuse_file_info* fi);
  void (*getlk)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi, struct flock* lock);
  void (*setlk)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi, struct flock* lock, int sleep);
  void (*bmap)(fuse_req_t req, fuse_ino_t ino, size_t blocksize, uint64_t idx);
#if FUSE_USE_VERSION < 35
  void (*ioctl)(fuse_req_t req, fuse_ino_t ino, int cmd, void* arg, struct fuse_file_info* fi, unsigned flags,
                const void* in_buf, size_t in_bufsz, size_t out_bufsz);
#else
  void (*ioctl)(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void* arg, struct fuse_file_info* fi, unsigned flags,
                const void* in_buf, size_t in_bufsz, size_t out_bufsz);
#endif
  void (*poll)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi, struct fuse_pollhandle* ph);
  void (*write_buf)(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec* bufv, off_t off, struct fuse_file_info* fi);
  void (*retrieve_reply)(fuse_req_t req, void* cookie, fuse_ino_t ino, off_t offset, struct fuse_bufvec* bufv);
  void (*forget_multi)(fuse_req_t req, size_t count, struct fuse_forget_data* forgets);
  void (*flock)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi, int op);
  void (*fallocate)(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info* fi);
  void (*readdirplus)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info* fi);
  void (*copy_file_range)(fuse_req_t req, fuse_ino_t ino_in, off_t off_in, struct fuse_file_info* fi_in,
                          fuse_ino_t ino_out, off_t off_out, struct fuse_file_info* fi_out, size_t len, int flags);
  void (*lseek)(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info* fi);
#if ISTHMUS_FUSE3_SO >= 4
  void (*tmpfile)(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info* fi);  ///< O_TMPFILE
  void (*statx)(fuse_req_t req, fuse_ino_t ino, int flags, int mask, struct fuse_file_info* fi);
  void (*syncfs)(fuse_req_t req, fuse_ino_t ino);  ///< sync(2) or syncfs(2)
#endif
};

// Answers. 0, or a negative errno when nobody got it; the request is over in any case.

int fuse_reply_err(fuse_req_t req, int err);  ///< err: positive; 0 for those that answer with nothing else
void fuse_reply_none(fuse_req_t req);         ///< forget, forget_multi, retrieve_reply
/// lookup, mknod, mkdir, symlink, link
int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param* e);
int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param* e, const struct fuse_file_info* fi);
/// getattr, setattr
int fuse_reply_attr(fuse_req_t req, const struct stat* attr, double attr_timeout);
int fuse_reply_readlink(fuse_req_t req, const char* link);
/// open, opendir
int fuse_reply_open(fuse_req_t req, const struct fuse_file_info* fi);
/// write, copy_file_range
int fuse_reply_write(fuse_req_t req, size_t count);
/// read, readdir, getxattr, listxattr
int fuse_reply_buf(fuse_req_t req, const char* buf, size_t size);
int fuse_reply_data(fuse_req_t req, struct fuse_bufvec* bufv, enum fuse_buf_copy_flags flags);
int fuse_reply_iov(fuse_req_t req, const struct iovec* iov, int count);
int fuse_reply_statfs(fuse_req_t req, const struct statvfs* stbuf);
int fuse_reply_xattr(fuse_req_t req, size_t count);  ///< getxattr, listxattr: the size needed
int fuse_reply_lock(fuse_req_t req, const struct flock* lock);
int fuse_reply_bmap(fuse_req_t req, uint64_t idx);
int fuse_reply_ioctl_retry(fuse_req_t req, const struct iovec* in_iov, size_t in_count, const struct iovec* out_iov,
                           size_t out_count);
int fuse_reply_ioctl(fuse_req_t req, int result, const void* buf, size_t size);
int fuse_reply_ioctl_iov(fuse_req_t req, int result, const struct iovec* iov, int count);
int fuse_reply_poll(fuse_req_t req, unsigned revents);
int fuse_reply_lseek(fuse_req_t req, off_t off);
#if ISTHMUS_FUSE3_SO >= 4
/// statx. flags: none are defined
int fuse_reply_statx(fuse_req_t req, int flags, struct statx* statx, double attr_timeout);

/// Has the kernel read and write `fd`'s file by itself (passthrough): what is to be the answer's backing_id, or 0 where
/// that cannot be. In open and create; FUSE_CAP_PASSTHROUGH must have been wanted, and it takes CAP_SYS_ADMIN.
int fuse_passthrough_open(fuse_req_t req, int fd);
/// After the last release. 0, or -1 with errno.
int fuse_passthrough_close(fuse_req_t req, int backing_id);
#endif

/// Put a name into the answer of readdir, readdirplus. The bytes it takes; nothing was written if they are more than
/// bufsize. `off`: where the listing goes on after this name.
size_t fuse_add_direntry(fuse_req_t req, char* buf, size_t bufsize, const char* name, const struct stat* stbuf,
                         off_t off);
size_t fuse_add_direntry_plus(fuse_req_t req, char* buf, size_t bufsize, const char* name,
                              const struct fuse_entry_param* e, off_t off);

// News for the kernel. 0 or a negative errno. Not inside a callback that the kernel may hold locks for.

int fuse_lowlevel_notify_poll(struct fuse_pollhandle* ph);
/// off negative: attributes only. len 0: to the end.
int fuse_lowlevel_notify_inval_inode(struct fuse_session* se, fuse_ino_t ino, off_t off, off_t len);
int fuse_lowlevel_notify_inval_entry(struct fuse_session* se, fuse_ino_t parent, const char* name, size_t namelen);
#if ISTHMUS_FUSE3_SO >= 4
/// The name is to be looked up again, and what is mounted below it stays. -ENOSYS: the kernel cannot (before
/// Linux 6.2).
int fuse_lowlevel_notify_expire_entry(struct fuse_session* se, fuse_ino_t parent, const char* name, size_t namelen);
#else
int fuse_lowlevel_notify_expire_entry(struct fuse_session* se, fuse_ino_t parent, const char* name, size_t namelen,
                                      enum fuse_expire_flags flags);
#endif
int fuse_lowlevel_notify_delete(struct fuse_session* se, fuse_ino_t parent, fuse_ino_t child, const char* name,
                                size_t namelen);
int fuse_lowlevel_notify_store(struct fuse_session* se, fuse_ino_t ino, off_t offset, struct fuse_bufvec* bufv,
                               enum fuse_buf_copy_flags flags);
#if ISTHMUS_FUSE3_SO >= 4
/// All names are to be looked up again (Linux 6.16; -ENOSYS before).
int fuse_lowlevel_notify_increment_epoch(struct fuse_session* se);
/// Nodes that nobody uses are to be forgotten (Linux 6.18; -ENOSYS before).
int fuse_lowlevel_notify_prune(struct fuse_session* se, fuse_ino_t* nodeids, uint32_t count);
#endif
/// What the kernel has cached arrives by retrieve_reply().
int fuse_lowlevel_notify_retrieve(struct fuse_session* se, fuse_ino_t ino, size_t size, off_t offset, void* cookie);

// A request.

void* fuse_req_userdata(fuse_req_t req);
const struct fuse_ctx* fuse_req_ctx(fuse_req_t req);
/// Supplementary groups of the caller: how many there are, of which up to `size` are in `list`; or a negative errno.
int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]);
typedef void (*fuse_interrupt_func_t)(fuse_req_t req, void* data);
/// `func` runs when the request is interrupted; at once if it has been.
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void* data);
int fuse_req_interrupted(fuse_req_t req);
#if ISTHMUS_FUSE3_SO >= 4
bool fuse_req_is_uring(fuse_req_t req);  ///< false: by the device
/// Memory that an answer may be written to, of requests by io_uring: -EINVAL for others.
int fuse_req_get_payload(fuse_req_t req, char** payload, size_t* payload_sz, void** mr);
// Labels of a security module for what is to be made; none come, as FUSE_CAP_SECURITY_CTX is never offered.
uint32_t fuse_req_secctx_count(fuse_req_t req);
void fuse_req_secctx_reset(fuse_req_t req);
int fuse_req_secctx_next(fuse_req_t req, const char** name, const char** value, uint32_t* len);  ///< -ENOENT: no more
#endif

// The program's part.

void fuse_lowlevel_version(void);
void fuse_lowlevel_help(void);
void fuse_cmdline_help(void);

struct fuse_cmdline_opts {
  int singlethread, foreground, debug, nodefault_subtype;
  char* mountpoint;  ///< to be freed
  int show_version, show_help, clone_fd;
  unsigned int max_idle_threads;
  unsigned int max_threads;  ///< from version 3.12 on
};

/// Takes out of `args` what is for main(): -f, -s, the mountpoint... 0 or -1.
#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_parse_cmdline_30(struct fuse_args* args, struct fuse_cmdline_opts* opts);
#define fuse_parse_cmdline(args, opts) fuse_parse_cmdline_30(args, opts)
#else
int fuse_parse_cmdline(struct fuse_args* args, struct fuse_cmdline_opts* opts);
#endif

/// Takes its options out of `args`; an option that remains is an error. Null after an error, which has been logged.
#if ISTHMUS_FUSE3_SO >= 4
struct fuse_session* fuse_session_new_versioned(struct fuse_args* args, const struct fuse_lowlevel_ops* op,
                                                size_t op_size, struct libfuse_version* version, void* userdata);
static inline struct fuse_session* fuse_session_new_fn(struct fuse_args* args, const struct fuse_lowlevel_ops* op,
                                                       size_t op_size, void* userdata) {
  struct libfuse_version version = {FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0};
  return fuse_session_new_versioned(args, op, op_size, &version, userdata);
}
#define fuse_session_new(args, op, op_size, userdata) fuse_session_new_fn(args, op, op_size, userdata)
/// Serves `fd`, by `io`, instead of mounting. 0 or a negative errno.
#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 17)
int fuse_session_custom_io_30(struct fuse_session* se, const struct fuse_custom_io* io, int fd);
#define fuse_session_custom_io(se, io, fd) fuse_session_custom_io_30(se, io, fd)
#else
int fuse_session_custom_io_317(struct fuse_session* se, const struct fuse_custom_io* io, size_t op_size, int fd);
#define fuse_session_custom_io(se, io, op_size, fd) fuse_session_custom_io_317(se, io, op_size, fd)
#endif
void fuse_session_set_debug(struct fuse_session* se, int debug);  ///< as -o debug, before serving
/// Accepted: INIT is answered when serving begins, as mount(2) does not wait for it on any Linux so far.
void fuse_session_set_sync_init(struct fuse_session* se, bool sync_init);
/// Calls `cb` when `timeout_sec` seconds have passed since the connection was cut or the session told to exit, and
/// stop() has not been called; without `cb` the process ends (SIGKILL). Null: no thread. May outlive the session.
void* fuse_session_start_teardown_watchdog(struct fuse_session* se, unsigned timeout_sec, void (*cb)(void* data),
                                           void* data);
void fuse_session_stop_teardown_watchdog(void* watchdog);
#else
struct fuse_session* fuse_session_new(struct fuse_args* args, const struct fuse_lowlevel_ops* op, size_t op_size,
                                      void* userdata);
/// Serves `fd`, by `io`, instead of mounting. 0 or a negative errno.
int fuse_session_custom_io(struct fuse_session* se, const struct fuse_custom_io* io, int fd);
#endif
/// mountpoint may be "/dev/fd/N": a FUSE device that somebody else mounted. 0 or -1.
int fuse_session_mount(struct fuse_session* se, const char* mountpoint);
/// Serves until unmounted or told to exit: 0, the number of a signal, or a negative errno.
int fuse_session_loop(struct fuse_session* se);
#if FUSE_USE_VERSION < 32
int fuse_session_loop_mt_31(struct fuse_session* se, int clone_fd);
#define fuse_session_loop_mt(se, clone_fd) fuse_session_loop_mt_31(se, clone_fd)
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_session_loop_mt_32(struct fuse_session* se, struct fuse_loop_config* config);
#define fuse_session_loop_mt(se, config) fuse_session_loop_mt_32(se, config)
#else
int fuse_session_loop_mt(struct fuse_session* se, struct fuse_loop_config* config);
#endif
void fuse_session_exit(struct fuse_session* se);  ///< also from a signal handler
void fuse_session_reset(struct fuse_session* se);
int fuse_session_exited(struct fuse_session* se);
void fuse_session_unmount(struct fuse_session* se);
void fuse_session_destroy(struct fuse_session* se);

// For programs with a loop of their own.

int fuse_session_fd(struct fuse_session* se);
void fuse_session_process_buf(struct fuse_session* se, const struct fuse_buf* buf);
/// buf->mem: null or from malloc; it is replaced as needed. Bytes read; 0: the session is over; or a negative errno.
int fuse_session_receive_buf(struct fuse_session* se, struct fuse_buf* buf);

#ifdef __cplusplus
}
#endif
