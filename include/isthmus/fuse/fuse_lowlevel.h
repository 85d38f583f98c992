/// File systems by nodes: each callback answers its request by one fuse_reply_...(), then or later, from any thread.
/// libfuse's interface, versions 2.4 to 2.9. C and C++.
#pragma once

/// The version of the interface that a program is written for.
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 24
#endif

#include "fuse_common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <utime.h>

FUSE_C_DECLARATIONS

#define FUSE_ROOT_ID 1

typedef unsigned long fuse_ino_t;
typedef struct fuse_req* fuse_req_t;

/// A name's answer; counts as one lookup of the node. ino 0: there is no such name, for entry_timeout.
struct fuse_entry_param {
  fuse_ino_t ino;
  unsigned long generation;  ///< differs when a number is used again for another file
  struct stat attr;
  double attr_timeout, entry_timeout;  ///< seconds
};

/// Who asks.
struct fuse_ctx {
  uid_t uid;
  gid_t gid;
  pid_t pid;
  mode_t umask;  ///< from version 2.8 on
};

struct fuse_forget_data {
  uint64_t ino;
  uint64_t nlookup;
};

// Bits of setattr()'s to_set.
#define FUSE_SET_ATTR_MODE (1 << 0)
#define FUSE_SET_ATTR_UID (1 << 1)
#define FUSE_SET_ATTR_GID (1 << 2)
#define FUSE_SET_ATTR_SIZE (1 << 3)
#define FUSE_SET_ATTR_ATIME (1 << 4)
#define FUSE_SET_ATTR_MTIME (1 << 5)
#define FUSE_SET_ATTR_ATIME_NOW (1 << 7)
#define FUSE_SET_ATTR_MTIME_NOW (1 << 8)

/// Null where there is none: the kernel hears ENOSYS, or a sensible answer (open and opendir succeed, statfs says
/// nothing special). Strings and buffers given are valid until the callback returns.
struct fuse_lowlevel_ops {
  void (*init)(void* userdata, struct fuse_conn_info* conn);
  void (*destroy)(void* userdata);
  void (*lookup)(fuse_req_t req, fuse_ino_t parent, const char* name);
  void (*forget)(fuse_req_t req, fuse_ino_t ino, unsigned long nlookup);
  void (*getattr)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi);
  void (*setattr)(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set, struct fuse_file_info* fi);
  void (*readlink)(fuse_req_t req, fuse_ino_t ino);
  void (*mknod)(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev);
  void (*mkdir)(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode);
  void (*unlink)(fuse_req_t req, fuse_ino_t parent, const char* name);
  void (*rmdir)(fuse_req_t req, fuse_ino_t parent, const char* name);
  void (*symlink)(fuse_req_t req, const char* link, fuse_ino_t parent, const char* name);
  void (*rename)(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t newparent, const char* newname);
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
  void (*ioctl)(fuse_req_t req, fuse_ino_t ino, int cmd, void* arg, struct fuse_file_info* fi, unsigned flags,
                const void* in_buf, size_t in_bufsz, size_t out_bufsz);
  void (*poll)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi, struct fuse_pollhandle* ph);
  void (*write_buf)(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec* bufv, off_t off, struct fuse_file_info* fi);
  void (*retrieve_reply)(fuse_req_t req, void* cookie, fuse_ino_t ino, off_t offset, struct fuse_bufvec* bufv);
  void (*forget_multi)(fuse_req_t req, size_t count, struct fuse_forget_data* forgets);
  void (*flock)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi, int op);
  void (*fallocate)(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info* fi);
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
/// write
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

/// Put a name into the answer of readdir. The bytes it takes; nothing was written if they are more than
/// bufsize. `off`: where the listing goes on after this name.
size_t fuse_add_direntry(fuse_req_t req, char* buf, size_t bufsize, const char* name, const struct stat* stbuf,
                         off_t off);

// News for the kernel. 0 or a negative errno. Not inside a callback that the kernel may hold locks for.

int fuse_lowlevel_notify_poll(struct fuse_pollhandle* ph);
/// off negative: attributes only. len 0: to the end.
int fuse_lowlevel_notify_inval_inode(struct fuse_chan* ch, fuse_ino_t ino, off_t off, off_t len);
int fuse_lowlevel_notify_inval_entry(struct fuse_chan* ch, fuse_ino_t parent, const char* name, size_t namelen);
int fuse_lowlevel_notify_delete(struct fuse_chan* ch, fuse_ino_t parent, fuse_ino_t child, const char* name,
                                size_t namelen);
int fuse_lowlevel_notify_store(struct fuse_chan* ch, fuse_ino_t ino, off_t offset, struct fuse_bufvec* bufv,
                               enum fuse_buf_copy_flags flags);
/// What the kernel has cached arrives by retrieve_reply().
int fuse_lowlevel_notify_retrieve(struct fuse_chan* ch, fuse_ino_t ino, size_t size, off_t offset, void* cookie);

// A request.

void* fuse_req_userdata(fuse_req_t req);
const struct fuse_ctx* fuse_req_ctx(fuse_req_t req);
/// Supplementary groups of the caller: how many there are, of which up to `size` are in `list`; or a negative errno.
int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]);
typedef void (*fuse_interrupt_func_t)(fuse_req_t req, void* data);
/// `func` runs when the request is interrupted; at once if it has been.
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void* data);
int fuse_req_interrupted(fuse_req_t req);

int fuse_lowlevel_is_lib_option(const char* opt);  ///< whether the library knows it

/// Takes its options out of `args`; an option that remains is an error. Null after an error, which has been told.
struct fuse_session* fuse_lowlevel_new(struct fuse_args* args, const struct fuse_lowlevel_ops* op, size_t op_size,
                                       void* userdata);

// Sessions. What a session does with a message is its own, or fuse_lowlevel_new()'s.

/// All but `process` may be null.
struct fuse_session_ops {
  void (*process)(void* data, const char* buf, size_t len, struct fuse_chan* ch);
  void (*exit)(void* data, int val);  ///< 1: exit, 0: reset
  int (*exited)(void* data);
  void (*destroy)(void* data);
};

struct fuse_session* fuse_session_new(struct fuse_session_ops* op, void* data);
/// A session has one channel.
void fuse_session_add_chan(struct fuse_session* se, struct fuse_chan* ch);
void fuse_session_remove_chan(struct fuse_chan* ch);
/// The channel after `ch`; null: the first. Null: there is none.
struct fuse_chan* fuse_session_next_chan(struct fuse_session* se, struct fuse_chan* ch);
void fuse_session_process(struct fuse_session* se, const char* buf, size_t len, struct fuse_chan* ch);
void fuse_session_process_buf(struct fuse_session* se, const struct fuse_buf* buf, struct fuse_chan* ch);
/// buf->mem: memory for buf->size bytes. Bytes read; 0: the session is over; or a negative errno.
int fuse_session_receive_buf(struct fuse_session* se, struct fuse_buf* buf, struct fuse_chan** chp);
/// And its channel.
void fuse_session_destroy(struct fuse_session* se);
void fuse_session_exit(struct fuse_session* se);  ///< also from a signal handler
void fuse_session_reset(struct fuse_session* se);
int fuse_session_exited(struct fuse_session* se);
void* fuse_session_data(struct fuse_session* se);
int fuse_session_loop(struct fuse_session* se);  ///< serves until unmounted or told to exit: 0, or -1
int fuse_session_loop_mt(struct fuse_session* se);

// Channels: where messages come from and go to.

struct fuse_chan_ops {
  /// Reads one message. Bytes; 0: the end; or a negative errno. *chp may become another channel.
  int (*receive)(struct fuse_chan** chp, char* buf, size_t size);
  /// Writes one message. 0 or a negative errno.
  int (*send)(struct fuse_chan* ch, const struct iovec iov[], size_t count);
  void (*destroy)(struct fuse_chan* ch);
};

struct fuse_chan* fuse_chan_new(struct fuse_chan_ops* op, int fd, size_t bufsize, void* data);
int fuse_chan_fd(struct fuse_chan* ch);
size_t fuse_chan_bufsize(struct fuse_chan* ch);  ///< of the memory that fuse_chan_recv() needs
void* fuse_chan_data(struct fuse_chan* ch);
struct fuse_session* fuse_chan_session(struct fuse_chan* ch);
int fuse_chan_recv(struct fuse_chan** ch, char* buf, size_t size);
int fuse_chan_send(struct fuse_chan* ch, const struct iovec iov[], size_t count);
void fuse_chan_destroy(struct fuse_chan* ch);

FUSE_C_END

// Programs for versions before 2.6.
#if FUSE_USE_VERSION < 26
#include "fuse_lowlevel_compat.h"
#define fuse_chan_ops fuse_chan_ops_compat24
#define fuse_chan_new fuse_chan_new_compat24
#if FUSE_USE_VERSION == 25
#define fuse_lowlevel_ops fuse_lowlevel_ops_compat25
#define fuse_lowlevel_new fuse_lowlevel_new_compat25
#elif FUSE_USE_VERSION == 24
#define fuse_lowlevel_ops fuse_lowlevel_ops_compat
#define fuse_lowlevel_new fuse_lowlevel_new_compat
#define fuse_file_info fuse_file_info_compat
#define fuse_reply_statfs fuse_reply_statfs_compat
#define fuse_reply_open fuse_reply_open_compat
#else
#error fuse_lowlevel.h begins with version 24
#endif
#endif
