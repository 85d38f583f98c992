/// File systems by paths: each callback answers by its return value, 0 or a negative errno unless said otherwise.
/// libfuse's interface, versions 3.0 to 3.19. C and C++.
#pragma once
#include "fuse_common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fuse;

enum fuse_readdir_flags { FUSE_READDIR_DEFAULTS = 0, FUSE_READDIR_PLUS = (1 << 0) };     ///< attributes are wanted
enum fuse_fill_dir_flags { FUSE_FILL_DIR_DEFAULTS = 0, FUSE_FILL_DIR_PLUS = (1 << 1) };  ///< attributes are complete

/// Adds a name. off: where the listing goes on after it, or 0: the whole directory is listed in one go. 1: full.
typedef int (*fuse_fill_dir_t)(void* buf, const char* name, const struct stat* stbuf, off_t off,
                               enum fuse_fill_dir_flags flags);

/// How the library treats paths, set by options and by init().
struct fuse_config {
  int set_gid;  ///< gid replaces every file's
  unsigned int gid;
  int set_uid;
  unsigned int uid;
  int set_mode;  ///< umask is taken off every file's mode
  unsigned int umask;
  double entry_timeout, negative_timeout, attr_timeout;  ///< seconds
  int intr, intr_signal;                                 ///< interrupted callbacks get this signal
  int remember;                                          ///< seconds that forgotten paths are kept; -1: for good
  int hard_remove;  ///< open files are really removed, not renamed to .fuse_hidden...
  int use_ino;      ///< st_ino is the file system's
  int readdir_ino;  ///< in listings at least
  int direct_io, kernel_cache, auto_cache;
#if ISTHMUS_FUSE3_SO < 4
  int no_rofd_flush;  ///< files open for reading are not flushed
#endif
  int ac_attr_timeout_set;
  double ac_attr_timeout;  ///< seconds, of auto_cache
  int nullpath_ok;         ///< callbacks with a file handle need no path
  int show_help;
  char* modules;
  int debug;
#if ISTHMUS_FUSE3_SO >= 4
  unsigned int fmask, dmask;   ///< with umask, taken off the mode of what is no directory, and of directories
  int no_rofd_flush;           ///< files open for reading are not flushed
  int parallel_direct_writes;  ///< of files with direct_io, several at a time
  unsigned int flags;
  uint64_t reserved[48];
#endif
};

struct fuse_operations {
  int (*getattr)(const char*, struct stat*, struct fuse_file_info* fi);
  int (*readlink)(const char*, char*, size_t);
  int (*mknod)(const char*, mode_t, dev_t);
  int (*mkdir)(const char*, mode_t);
  int (*unlink)(const char*);
  int (*rmdir)(const char*);
  int (*symlink)(const char*, const char*);
  int (*rename)(const char*, const char*, unsigned int flags);
  int (*link)(const char*, const char*);
  int (*chmod)(const char*, mode_t, struct fuse_file_info* fi);
  int (*chown)(const char*, uid_t, gid_t, struct fuse_file_info* fi);
  int (*truncate)(const char*, off_t, struct fuse_file_info* fi);
  int (*open)(const char*, struct fuse_file_info*);
  int (*read)(const char*, char*, size_t, off_t, struct fuse_file_info*);
  int (*write)(const char*, const char*, size_t, off_t, struct fuse_file_info*);
  int (*statfs)(const char*, struct statvfs*);
  int (*flush)(const char*, struct fuse_file_info*);
  int (*release)(const char*, struct fuse_file_info*);
  int (*fsync)(const char*, int, struct fuse_file_info*);
  int (*setxattr)(const char*, const char*, const char*, size_t, int);
  int (*getxattr)(const char*, const char*, char*, size_t);
  int (*listxattr)(const char*, char*, size_t);
  int (*removexattr)(const char*, const char*);
  int (*opendir)(const char*, struct fuse_file_info*);
  int (*readdir)(const char*, void*, fuse_fill_dir_t, off_t, struct fuse_file_info*, enum fuse_readdir_flags);
  int (*releasedir)(const char*, struct fuse_file_info*);
  int (*fsyncdir)(const char*, int, struct fuse_file_info*);
  void* (*init)(struct fuse_conn_info* conn, struct fuse_config* cfg);
  void (*destroy)(void* private_data);
  int (*access)(const char*, int);
  int (*create)(const char*, mode_t, struct fuse_file_info*);
  int (*lock)(const char*, struct fuse_file_info*, int cmd, struct flock*);
  int (*utimens)(const char*, const struct timespec tv[2], struct fuse_file_info* fi);
  int (*bmap)(const char*, size_t blocksize, uint64_t* idx);
#if FUSE_USE_VERSION < 35
  int (*ioctl)(const char*, int cmd, void* arg, struct fuse_file_info*, unsigned int flags, void* data);
#else
  int (*ioctl)(const char*, unsigned int cmd, void* arg, struct fuse_file_info*, unsigned int flags, void* data);
#endif
  int (*poll)(const char*, struct fuse_file_info*, struct fuse_pollhandle* ph, unsigned* reventsp);
  int (*write_buf)(const char*, struct fuse_bufvec* buf, off_t off, struct fuse_file_info*);
  int (*read_buf)(const char*, struct fuse_bufvec** bufp, size_t size, off_t off, struct fuse_file_info*);
  int (*flock)(const char*, struct fuse_file_info*, int op);
  int (*fallocate)(const char*, int, off_t, off_t, struct fuse_file_info*);
  ssize_t (*copy_file_range)(const char* path_in, struct fuse_file_info* fi_in, off_t offset_in, const char* path_out,
                             struct fuse_file_info* fi_out, off_t offset_out, size_t size, int flags);
  off_t (*lseek)(const char*, off_t off, int whence, struct fuse_file_info*);
#if ISTHMUS_FUSE3_SO >= 4
  int (*statx)(const char*, int flags, int mask, struct statx* stxbuf, struct fuse_file_info* fi);
  int (*syncfs)(const char*);  ///< sync(2) or syncfs(2); the path is "/"
#endif
#ifdef FUSE_WINFSP_OPERATIONS
  // WinFsp's (fuse_winfsp.h).
  int (*getpath)(const char*, char* buf, size_t size, struct fuse_file_info* fi);  ///< the path as it is written
  int (*setchgtime)(const char*, const struct timespec* tv);
  int (*setcrtime)(const char*, const struct timespec* tv);
  int (*chflags)(const char*, uint32_t flags);  ///< UF_*
#endif
};

/// Who asks, inside a callback.
struct fuse_context {
  struct fuse* fuse;
  uid_t uid;
  gid_t gid;
  pid_t pid;
  void* private_data;  ///< what init() returned
  mode_t umask;
};

/// The whole of a program: options, mount, background, signals, loop. 0, or what a program is to exit with: 1 bad
/// arguments, 2 no mountpoint, 3 fuse_new(), 4 mount, 5 background, 6 signals, 7 a bad state, 8 the loop ended by an
/// error or a signal.
#if ISTHMUS_FUSE3_SO >= 4
int fuse_main_real_versioned(int argc, char* argv[], const struct fuse_operations* op, size_t op_size,
                             struct libfuse_version* version, void* private_data);
static inline int fuse_main_fn(int argc, char* argv[], const struct fuse_operations* op, void* private_data) {
  struct libfuse_version version = {FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0};
  return fuse_main_real_versioned(argc, argv, op, sizeof(*op), &version, private_data);
}
#define fuse_main(argc, argv, op, private_data) fuse_main_fn(argc, argv, op, private_data)
#else
#define fuse_main(argc, argv, op, private_data) fuse_main_real(argc, argv, op, sizeof(*(op)), private_data)
int fuse_main_real(int argc, char* argv[], const struct fuse_operations* op, size_t op_size, void* private_data);
#endif

/// Prints the options of fuse_new(), and of the modules that `args` names.
void fuse_lib_help(struct fuse_args* args);

/// Takes its options out of `args`; an option that remains is an error. Null after an error, which has been logged.
/// private_data: until init() returns another.
#if ISTHMUS_FUSE3_SO >= 4
struct fuse* _fuse_new_30(struct fuse_args* args, const struct fuse_operations* op, size_t op_size,
                          struct libfuse_version* version, void* private_data);
struct fuse* _fuse_new_31(struct fuse_args* args, const struct fuse_operations* op, size_t op_size,
                          struct libfuse_version* version, void* private_data);
static inline struct fuse* fuse_new_fn(struct fuse_args* args, const struct fuse_operations* op, size_t op_size,
                                       void* private_data) {
  struct libfuse_version version = {FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0};
#if FUSE_USE_VERSION == 30
  return _fuse_new_30(args, op, op_size, &version, private_data);
#else
  return _fuse_new_31(args, op, op_size, &version, private_data);
#endif
}
#define fuse_new(args, op, size, data) fuse_new_fn(args, op, size, data)
#elif FUSE_USE_VERSION == 30
struct fuse* fuse_new_30(struct fuse_args* args, const struct fuse_operations* op, size_t op_size, void* private_data);
#define fuse_new(args, op, size, data) fuse_new_30(args, op, size, data)
#else
struct fuse* fuse_new(struct fuse_args* args, const struct fuse_operations* op, size_t op_size, void* private_data);
#endif
int fuse_mount(struct fuse* f, const char* mountpoint);  ///< 0 or -1
void fuse_unmount(struct fuse* f);
/// After fuse_unmount(). Calls destroy().
void fuse_destroy(struct fuse* f);

/// Serves until unmounted or told to exit: 0, the number of a signal, or a negative errno.
int fuse_loop(struct fuse* f);
#if FUSE_USE_VERSION < 32
int fuse_loop_mt_31(struct fuse* f, int clone_fd);
#define fuse_loop_mt(f, clone_fd) fuse_loop_mt_31(f, clone_fd)
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_loop_mt_32(struct fuse* f, struct fuse_loop_config* config);
#define fuse_loop_mt(f, config) fuse_loop_mt_32(f, config)
#else
int fuse_loop_mt(struct fuse* f, struct fuse_loop_config* config);
#endif
void fuse_exit(struct fuse* f);
struct fuse_session* fuse_get_session(struct fuse* f);

// Inside a callback.

struct fuse_context* fuse_get_context(void);
/// Supplementary groups of the caller: how many there are, of which up to `size` are in `list`; or a negative errno.
int fuse_getgroups(int size, gid_t list[]);
int fuse_interrupted(void);

/// What is cached of the file is stale. 0 or a negative errno; ENOENT: the kernel does not know it.
int fuse_invalidate_path(struct fuse* f, const char* path);
int fuse_notify_poll(struct fuse_pollhandle* ph);

/// With `remember`: drop in time what the kernel has forgotten. fuse_loop_mt() does so by itself.
int fuse_start_cleanup_thread(struct fuse* fuse);
void fuse_stop_cleanup_thread(struct fuse* fuse);
int fuse_clean_cache(struct fuse* fuse);  ///< seconds until it has something to do again

/// A mounted device's descriptor, for "/dev/fd/N" as somebody's mountpoint; or -1. options: as behind -o.
int fuse_open_channel(const char* mountpoint, const char* options);

// Modules: a file system over another. Each function runs the callback of its name; what is absent is ENOSYS, but 0 for
// open, release, opendir, releasedir and statfs.

struct fuse_fs;
struct fuse_fs* fuse_fs_new(const struct fuse_operations* op, size_t op_size, void* private_data);
/// Makes the file system over fs[0]; takes its options out of `args`. Null: an error, which has been logged.
typedef struct fuse_fs* (*fuse_module_factory_t)(struct fuse_args* args, struct fuse_fs* fs[]);
/// For `-o modules=name`, in a library libfusemod_name.so.
#define FUSE_REGISTER_MODULE(name_, factory_) fuse_module_factory_t fuse_module_##name_##_factory = factory_

int fuse_fs_getattr(struct fuse_fs* fs, const char* path, struct stat* buf, struct fuse_file_info* fi);
int fuse_fs_rename(struct fuse_fs* fs, const char* oldpath, const char* newpath, unsigned int flags);
int fuse_fs_unlink(struct fuse_fs* fs, const char* path);
int fuse_fs_rmdir(struct fuse_fs* fs, const char* path);
int fuse_fs_symlink(struct fuse_fs* fs, const char* linkname, const char* path);
int fuse_fs_link(struct fuse_fs* fs, const char* oldpath, const char* newpath);
int fuse_fs_release(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi);
int fuse_fs_open(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi);
int fuse_fs_read(struct fuse_fs* fs, const char* path, char* buf, size_t size, off_t off, struct fuse_file_info* fi);
/// *bufp, and memory in it, are the caller's to free.
int fuse_fs_read_buf(struct fuse_fs* fs, const char* path, struct fuse_bufvec** bufp, size_t size, off_t off,
                     struct fuse_file_info* fi);
int fuse_fs_write(struct fuse_fs* fs, const char* path, const char* buf, size_t size, off_t off,
                  struct fuse_file_info* fi);
int fuse_fs_write_buf(struct fuse_fs* fs, const char* path, struct fuse_bufvec* buf, off_t off,
                      struct fuse_file_info* fi);
int fuse_fs_fsync(struct fuse_fs* fs, const char* path, int datasync, struct fuse_file_info* fi);
int fuse_fs_flush(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi);
int fuse_fs_statfs(struct fuse_fs* fs, const char* path, struct statvfs* buf);
int fuse_fs_opendir(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi);
int fuse_fs_readdir(struct fuse_fs* fs, const char* path, void* buf, fuse_fill_dir_t filler, off_t off,
                    struct fuse_file_info* fi, enum fuse_readdir_flags flags);
int fuse_fs_fsyncdir(struct fuse_fs* fs, const char* path, int datasync, struct fuse_file_info* fi);
int fuse_fs_releasedir(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi);
int fuse_fs_create(struct fuse_fs* fs, const char* path, mode_t mode, struct fuse_file_info* fi);
int fuse_fs_lock(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi, int cmd, struct flock* lock);
int fuse_fs_flock(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi, int op);
int fuse_fs_chmod(struct fuse_fs* fs, const char* path, mode_t mode, struct fuse_file_info* fi);
int fuse_fs_chown(struct fuse_fs* fs, const char* path, uid_t uid, gid_t gid, struct fuse_file_info* fi);
int fuse_fs_truncate(struct fuse_fs* fs, const char* path, off_t size, struct fuse_file_info* fi);
int fuse_fs_utimens(struct fuse_fs* fs, const char* path, const struct timespec tv[2], struct fuse_file_info* fi);
int fuse_fs_access(struct fuse_fs* fs, const char* path, int mask);
int fuse_fs_readlink(struct fuse_fs* fs, const char* path, char* buf, size_t len);
int fuse_fs_mknod(struct fuse_fs* fs, const char* path, mode_t mode, dev_t rdev);
int fuse_fs_mkdir(struct fuse_fs* fs, const char* path, mode_t mode);
int fuse_fs_setxattr(struct fuse_fs* fs, const char* path, const char* name, const char* value, size_t size, int flags);
int fuse_fs_getxattr(struct fuse_fs* fs, const char* path, const char* name, char* value, size_t size);
int fuse_fs_listxattr(struct fuse_fs* fs, const char* path, char* list, size_t size);
int fuse_fs_removexattr(struct fuse_fs* fs, const char* path, const char* name);
int fuse_fs_bmap(struct fuse_fs* fs, const char* path, size_t blocksize, uint64_t* idx);
#if FUSE_USE_VERSION < 35
int fuse_fs_ioctl(struct fuse_fs* fs, const char* path, int cmd, void* arg, struct fuse_file_info* fi,
                  unsigned int flags, void* data);
#else
int fuse_fs_ioctl(struct fuse_fs* fs, const char* path, unsigned int cmd, void* arg, struct fuse_file_info* fi,
                  unsigned int flags, void* data);
#endif
int fuse_fs_poll(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi, struct fuse_pollhandle* ph,
                 unsigned* reventsp);
int fuse_fs_fallocate(struct fuse_fs* fs, const char* path, int mode, off_t offset, off_t length,
                      struct fuse_file_info* fi);
ssize_t fuse_fs_copy_file_range(struct fuse_fs* fs, const char* path_in, struct fuse_file_info* fi_in, off_t off_in,
                                const char* path_out, struct fuse_file_info* fi_out, off_t off_out, size_t len,
                                int flags);
off_t fuse_fs_lseek(struct fuse_fs* fs, const char* path, off_t off, int whence, struct fuse_file_info* fi);
#if ISTHMUS_FUSE3_SO >= 4
int fuse_fs_statx(struct fuse_fs* fs, const char* path, int flags, int mask, struct statx* stxbuf,
                  struct fuse_file_info* fi);
#endif
void fuse_fs_init(struct fuse_fs* fs, struct fuse_conn_info* conn, struct fuse_config* cfg);
void fuse_fs_destroy(struct fuse_fs* fs);

#ifdef __cplusplus
}
#endif
