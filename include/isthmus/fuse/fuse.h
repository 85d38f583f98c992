/// File systems by paths: each callback answers by its return value, 0 or a negative errno unless said otherwise.
/// libfuse's interface, versions 1.1 to 2.9. C and C++.
#pragma once

/// The version of the interface that a program is written for.
#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 21
#endif

#include "fuse_common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <utime.h>

FUSE_C_DECLARATIONS

struct fuse;
struct fuse_cmd;

/// Adds a name. off: where the listing goes on after it, or 0: the whole directory is listed in one go. 1: full.
typedef int (*fuse_fill_dir_t)(void* buf, const char* name, const struct stat* stbuf, off_t off);

/// For getdir(). type: DT_... of readdir(3).
typedef struct fuse_dirhandle* fuse_dirh_t;
typedef int (*fuse_dirfil_t)(fuse_dirh_t h, const char* name, int type, ino_t ino);

struct fuse_operations {
  int (*getattr)(const char*, struct stat*);
  int (*readlink)(const char*, char*, size_t);
  int (*getdir)(const char*, fuse_dirh_t, fuse_dirfil_t);  ///< where there is no readdir()
  int (*mknod)(const char*, mode_t, dev_t);
  int (*mkdir)(const char*, mode_t);
  int (*unlink)(const char*);
  int (*rmdir)(const char*);
  int (*symlink)(const char*, const char*);
  int (*rename)(const char*, const char*);
  int (*link)(const char*, const char*);
  int (*chmod)(const char*, mode_t);
  int (*chown)(const char*, uid_t, gid_t);
  int (*truncate)(const char*, off_t);
  int (*utime)(const char*, struct utimbuf*);  ///< where there is no utimens()
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
  int (*readdir)(const char*, void*, fuse_fill_dir_t, off_t, struct fuse_file_info*);
  int (*releasedir)(const char*, struct fuse_file_info*);
  int (*fsyncdir)(const char*, int, struct fuse_file_info*);
  void* (*init)(struct fuse_conn_info* conn);
  void (*destroy)(void*);
  int (*access)(const char*, int);
  int (*create)(const char*, mode_t, struct fuse_file_info*);
  int (*ftruncate)(const char*, off_t, struct fuse_file_info*);
  int (*fgetattr)(const char*, struct stat*, struct fuse_file_info*);
  int (*lock)(const char*, struct fuse_file_info*, int cmd, struct flock*);
  int (*utimens)(const char*, const struct timespec tv[2]);
  int (*bmap)(const char*, size_t blocksize, uint64_t* idx);
  unsigned int flag_nullpath_ok : 1;    ///< open files that have no name any more: callbacks get a null path
  unsigned int flag_nopath : 1;         ///< callbacks with a file handle need no path
  unsigned int flag_utime_omit_ok : 1;  ///< utimens() knows UTIME_NOW and UTIME_OMIT
  unsigned int flag_reserved : 29;
  int (*ioctl)(const char*, int cmd, void* arg, struct fuse_file_info*, unsigned int flags, void* data);
  int (*poll)(const char*, struct fuse_file_info*, struct fuse_pollhandle* ph, unsigned* reventsp);
  int (*write_buf)(const char*, struct fuse_bufvec* buf, off_t off, struct fuse_file_info*);
  int (*read_buf)(const char*, struct fuse_bufvec** bufp, size_t size, off_t off, struct fuse_file_info*);
  int (*flock)(const char*, struct fuse_file_info*, int op);
  int (*fallocate)(const char*, int, off_t, off_t, struct fuse_file_info*);
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
  void* private_data;  ///< what init() returned, or user_data
  mode_t umask;        ///< from version 2.8 on
};

/// The whole of a program: options, mount, background, signals, loop. 0, or 1 after an error.
#define fuse_main(argc, argv, op, user_data) fuse_main_real(argc, argv, op, sizeof(*(op)), user_data)
int fuse_main_real(int argc, char* argv[], const struct fuse_operations* op, size_t op_size, void* user_data);

/// Takes its options out of `args`; an option that remains is an error. Null after an error, which has been told.
struct fuse* fuse_new(struct fuse_chan* ch, struct fuse_args* args, const struct fuse_operations* op, size_t op_size,
                      void* user_data);
void fuse_destroy(struct fuse* f);
int fuse_loop(struct fuse* f);  ///< serves until unmounted or told to exit: 0, or -1
void fuse_exit(struct fuse* f);
int fuse_loop_mt(struct fuse* f);

// Inside a callback.

struct fuse_context* fuse_get_context(void);
/// Supplementary groups of the caller: how many there are, of which up to `size` are in `list`; or a negative errno.
int fuse_getgroups(int size, gid_t list[]);
int fuse_interrupted(void);

int fuse_invalidate(struct fuse* f, const char* path);  ///< does nothing: -EINVAL
int fuse_is_lib_option(const char* opt);                ///< whether the library knows it

/// With `remember`: drop in time what the kernel has forgotten. Loops do so by themselves.
int fuse_start_cleanup_thread(struct fuse* fuse);
void fuse_stop_cleanup_thread(struct fuse* fuse);
int fuse_clean_cache(struct fuse* fuse);  ///< seconds until it has something to do again

// Modules: a file system over another. Each function runs the callback of its name; what is absent is ENOSYS, but 0 for
// open, release, opendir, releasedir and statfs.

struct fuse_fs;
struct fuse_fs* fuse_fs_new(const struct fuse_operations* op, size_t op_size, void* user_data);

int fuse_fs_getattr(struct fuse_fs* fs, const char* path, struct stat* buf);
int fuse_fs_fgetattr(struct fuse_fs* fs, const char* path, struct stat* buf, struct fuse_file_info* fi);
int fuse_fs_rename(struct fuse_fs* fs, const char* oldpath, const char* newpath);
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
                    struct fuse_file_info* fi);
int fuse_fs_fsyncdir(struct fuse_fs* fs, const char* path, int datasync, struct fuse_file_info* fi);
int fuse_fs_releasedir(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi);
int fuse_fs_create(struct fuse_fs* fs, const char* path, mode_t mode, struct fuse_file_info* fi);
int fuse_fs_lock(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi, int cmd, struct flock* lock);
int fuse_fs_flock(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi, int op);
int fuse_fs_chmod(struct fuse_fs* fs, const char* path, mode_t mode);
int fuse_fs_chown(struct fuse_fs* fs, const char* path, uid_t uid, gid_t gid);
int fuse_fs_truncate(struct fuse_fs* fs, const char* path, off_t size);
int fuse_fs_ftruncate(struct fuse_fs* fs, const char* path, off_t size, struct fuse_file_info* fi);
int fuse_fs_utimens(struct fuse_fs* fs, const char* path, const struct timespec tv[2]);
int fuse_fs_access(struct fuse_fs* fs, const char* path, int mask);
int fuse_fs_readlink(struct fuse_fs* fs, const char* path, char* buf, size_t len);
int fuse_fs_mknod(struct fuse_fs* fs, const char* path, mode_t mode, dev_t rdev);
int fuse_fs_mkdir(struct fuse_fs* fs, const char* path, mode_t mode);
int fuse_fs_setxattr(struct fuse_fs* fs, const char* path, const char* name, const char* value, size_t size, int flags);
int fuse_fs_getxattr(struct fuse_fs* fs, const char* path, const char* name, char* value, size_t size);
int fuse_fs_listxattr(struct fuse_fs* fs, const char* path, char* list, size_t size);
int fuse_fs_removexattr(struct fuse_fs* fs, const char* path, const char* name);
int fuse_fs_bmap(struct fuse_fs* fs, const char* path, size_t blocksize, uint64_t* idx);
int fuse_fs_ioctl(struct fuse_fs* fs, const char* path, int cmd, void* arg, struct fuse_file_info* fi,
                  unsigned int flags, void* data);
int fuse_fs_poll(struct fuse_fs* fs, const char* path, struct fuse_file_info* fi, struct fuse_pollhandle* ph,
                 unsigned* reventsp);
int fuse_fs_fallocate(struct fuse_fs* fs, const char* path, int mode, off_t offset, off_t length,
                      struct fuse_file_info* fi);
void fuse_fs_init(struct fuse_fs* fs, struct fuse_conn_info* conn);
void fuse_fs_destroy(struct fuse_fs* fs);

int fuse_notify_poll(struct fuse_pollhandle* ph);

/// For `-o modules=name`. The factory makes the file system over fs[0] and takes its options out of `args`; null: an
/// error, which has been told.
struct fuse_module {
  const char* name;
  struct fuse_fs* (*factory)(struct fuse_args* args, struct fuse_fs* fs[]);
  struct fuse_module* next;  ///< the library's, as what follows
  struct fusemod_so* so;
  int ctr;
};
void fuse_register_module(struct fuse_module* mod);

/// In a library libfusemod_name.so, or in the program itself.
#define FUSE_REGISTER_MODULE(name_, factory_)                             \
  static __attribute__((constructor)) void name_##_register(void) {       \
    static struct fuse_module module = {#name_, factory_, NULL, NULL, 0}; \
    fuse_register_module(&module);                                        \
  }

// For programs with a loop of their own.

typedef void (*fuse_processor_t)(struct fuse*, struct fuse_cmd*, void*);

/// What fuse_main() does before its loop, and after it. *mountpoint is for fuse_teardown().
struct fuse* fuse_setup(int argc, char* argv[], const struct fuse_operations* op, size_t op_size, char** mountpoint,
                        int* multithreaded, void* user_data);
void fuse_teardown(struct fuse* fuse, char* mountpoint);
struct fuse_cmd* fuse_read_cmd(struct fuse* f);  ///< null: no request, or the end
void fuse_process_cmd(struct fuse* f, struct fuse_cmd* cmd);
int fuse_loop_mt_proc(struct fuse* f, fuse_processor_t proc, void* data);
int fuse_exited(struct fuse* f);
void fuse_set_getcontext_func(struct fuse_context* (*func)(void));
struct fuse_session* fuse_get_session(struct fuse* f);

FUSE_C_END

// Programs for versions before 2.6.
#if FUSE_USE_VERSION < 26
#include "fuse_compat.h"
#undef fuse_main
#if FUSE_USE_VERSION == 25
#define fuse_main(argc, argv, op) fuse_main_real_compat25(argc, argv, op, sizeof(*(op)))
#define fuse_new fuse_new_compat25
#define fuse_setup fuse_setup_compat25
#define fuse_teardown fuse_teardown_compat22
#define fuse_operations fuse_operations_compat25
#elif FUSE_USE_VERSION == 22
#define fuse_main(argc, argv, op) fuse_main_real_compat22(argc, argv, op, sizeof(*(op)))
#define fuse_new fuse_new_compat22
#define fuse_setup fuse_setup_compat22
#define fuse_teardown fuse_teardown_compat22
#define fuse_operations fuse_operations_compat22
#define fuse_file_info fuse_file_info_compat
#elif FUSE_USE_VERSION == 24
#error There is no version 24 of fuse.h
#else
#define fuse_dirfil_t fuse_dirfil_t_compat
#define __fuse_read_cmd fuse_read_cmd
#define __fuse_process_cmd fuse_process_cmd
#define __fuse_loop_mt fuse_loop_mt_proc
#if FUSE_USE_VERSION == 21
#define fuse_operations fuse_operations_compat2
#define fuse_main fuse_main_compat2
#define fuse_new fuse_new_compat2
#define __fuse_setup fuse_setup_compat2
#define __fuse_teardown fuse_teardown_compat22
#define __fuse_exited fuse_exited
#define __fuse_set_getcontext_func fuse_set_getcontext_func
#else
#define fuse_statfs fuse_statfs_compat1
#define fuse_operations fuse_operations_compat1
#define fuse_main fuse_main_compat1
#define fuse_new fuse_new_compat1
#define FUSE_DEBUG FUSE_DEBUG_COMPAT1
#endif
#endif
#endif
