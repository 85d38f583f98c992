/// fuse_fs_*: what modules call of the file system below them.
#include "libfuse/common/exports.h"
#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/v3/layer.h"

using Ops = fuse_operations;

ISTHMUS_EXPORT int fuse_fs_getattr(fuse_fs* fs, const char* path, struct stat* buf, fuse_file_info* fi) {
  return fs->call(&Ops::getattr, path, buf, fi);
}
#if ISTHMUS_FUSE3_SO >= 4
ISTHMUS_EXPORT int fuse_fs_statx(fuse_fs* fs, const char* path, int flags, int mask, struct statx* stxbuf,
                                 fuse_file_info* fi) {
  return fs->call(&Ops::statx, path, flags, mask, stxbuf, fi);
}
#endif
ISTHMUS_EXPORT int fuse_fs_rename(fuse_fs* fs, const char* oldpath, const char* newpath, unsigned flags) {
  return fs->call(&Ops::rename, oldpath, newpath, flags);
}
ISTHMUS_EXPORT int fuse_fs_unlink(fuse_fs* fs, const char* path) { return fs->call(&Ops::unlink, path); }
ISTHMUS_EXPORT int fuse_fs_rmdir(fuse_fs* fs, const char* path) { return fs->call(&Ops::rmdir, path); }
ISTHMUS_EXPORT int fuse_fs_symlink(fuse_fs* fs, const char* linkname, const char* path) {
  return fs->call(&Ops::symlink, linkname, path);
}
ISTHMUS_EXPORT int fuse_fs_link(fuse_fs* fs, const char* oldpath, const char* newpath) {
  return fs->call(&Ops::link, oldpath, newpath);
}
ISTHMUS_EXPORT int fuse_fs_chmod(fuse_fs* fs, const char* path, mode_t mode, fuse_file_info* fi) {
  return fs->call(&Ops::chmod, path, mode, fi);
}
ISTHMUS_EXPORT int fuse_fs_chown(fuse_fs* fs, const char* path, uid_t uid, gid_t gid, fuse_file_info* fi) {
  return fs->call(&Ops::chown, path, uid, gid, fi);
}
ISTHMUS_EXPORT int fuse_fs_truncate(fuse_fs* fs, const char* path, off_t size, fuse_file_info* fi) {
  return fs->call(&Ops::truncate, path, size, fi);
}
ISTHMUS_EXPORT int fuse_fs_utimens(fuse_fs* fs, const char* path, const timespec tv[2], fuse_file_info* fi) {
  return fs->call(&Ops::utimens, path, tv, fi);
}
ISTHMUS_EXPORT int fuse_fs_access(fuse_fs* fs, const char* path, int mask) {
  return fs->call(&Ops::access, path, mask);
}
ISTHMUS_EXPORT int fuse_fs_readlink(fuse_fs* fs, const char* path, char* buf, size_t len) {
  return fs->call(&Ops::readlink, path, buf, len);
}
ISTHMUS_EXPORT int fuse_fs_mknod(fuse_fs* fs, const char* path, mode_t mode, dev_t rdev) {
  return fs->call(&Ops::mknod, path, mode, rdev);
}
ISTHMUS_EXPORT int fuse_fs_mkdir(fuse_fs* fs, const char* path, mode_t mode) {
  return fs->call(&Ops::mkdir, path, mode);
}

ISTHMUS_EXPORT int fuse_fs_open(fuse_fs* fs, const char* path, fuse_file_info* fi) {
  return fs->call_or_succeed(&Ops::open, path, fi);
}
ISTHMUS_EXPORT int fuse_fs_create(fuse_fs* fs, const char* path, mode_t mode, fuse_file_info* fi) {
  return fs->call(&Ops::create, path, mode, fi);
}
ISTHMUS_EXPORT int fuse_fs_release(fuse_fs* fs, const char* path, fuse_file_info* fi) {
  return fs->call_or_succeed(&Ops::release, path, fi);
}
ISTHMUS_EXPORT int fuse_fs_read(fuse_fs* fs, const char* path, char* buf, size_t size, off_t off, fuse_file_info* fi) {
  return fs->read(path, buf, size, off, fi);
}
ISTHMUS_EXPORT int fuse_fs_read_buf(fuse_fs* fs, const char* path, fuse_bufvec** bufp, size_t size, off_t off,
                                    fuse_file_info* fi) {
  return fs->read_buf(path, bufp, size, off, fi);
}
ISTHMUS_EXPORT int fuse_fs_write(fuse_fs* fs, const char* path, const char* buf, size_t size, off_t off,
                                 fuse_file_info* fi) {
  fuse_bufvec list = isthmus::libfuse::one_piece_list(buf, size);
  return fs->write_buf(path, &list, off, fi);
}
ISTHMUS_EXPORT int fuse_fs_write_buf(fuse_fs* fs, const char* path, fuse_bufvec* buf, off_t off, fuse_file_info* fi) {
  return fs->write_buf(path, buf, off, fi);
}
ISTHMUS_EXPORT int fuse_fs_fsync(fuse_fs* fs, const char* path, int datasync, fuse_file_info* fi) {
  return fs->call(&Ops::fsync, path, datasync, fi);
}
ISTHMUS_EXPORT int fuse_fs_flush(fuse_fs* fs, const char* path, fuse_file_info* fi) {
  return fs->call(&Ops::flush, path, fi);
}
ISTHMUS_EXPORT int fuse_fs_lock(fuse_fs* fs, const char* path, fuse_file_info* fi, int cmd, struct flock* lock) {
  return fs->call(&Ops::lock, path, fi, cmd, lock);
}
ISTHMUS_EXPORT int fuse_fs_flock(fuse_fs* fs, const char* path, fuse_file_info* fi, int op) {
  return fs->call(&Ops::flock, path, fi, op);
}
ISTHMUS_EXPORT int fuse_fs_ioctl(fuse_fs* fs, const char* path, unsigned cmd, void* arg, fuse_file_info* fi,
                                 unsigned flags, void* data) {
  return fs->call(&Ops::ioctl, path, cmd, arg, fi, flags, data);
}
ISTHMUS_EXPORT int fuse_fs_poll(fuse_fs* fs, const char* path, fuse_file_info* fi, fuse_pollhandle* ph,
                                unsigned* reventsp) {
  return fs->call(&Ops::poll, path, fi, ph, reventsp);
}
ISTHMUS_EXPORT int fuse_fs_fallocate(fuse_fs* fs, const char* path, int mode, off_t offset, off_t length,
                                     fuse_file_info* fi) {
  return fs->call(&Ops::fallocate, path, mode, offset, length, fi);
}
ISTHMUS_EXPORT ssize_t fuse_fs_copy_file_range(fuse_fs* fs, const char* path_in, fuse_file_info* fi_in, off_t off_in,
                                               const char* path_out, fuse_file_info* fi_out, off_t off_out, size_t len,
                                               int flags) {
  return fs->call(&Ops::copy_file_range, path_in, fi_in, off_in, path_out, fi_out, off_out, len, flags);
}
ISTHMUS_EXPORT off_t fuse_fs_lseek(fuse_fs* fs, const char* path, off_t off, int whence, fuse_file_info* fi) {
  return fs->call(&Ops::lseek, path, off, whence, fi);
}
ISTHMUS_EXPORT int fuse_fs_bmap(fuse_fs* fs, const char* path, size_t blocksize, uint64_t* idx) {
  return fs->call(&Ops::bmap, path, blocksize, idx);
}

ISTHMUS_EXPORT int fuse_fs_opendir(fuse_fs* fs, const char* path, fuse_file_info* fi) {
  return fs->call_or_succeed(&Ops::opendir, path, fi);
}
ISTHMUS_EXPORT int fuse_fs_readdir(fuse_fs* fs, const char* path, void* buf, fuse_fill_dir_t filler, off_t off,
                                   fuse_file_info* fi, fuse_readdir_flags flags) {
  return fs->call(&Ops::readdir, path, buf, filler, off, fi, flags);
}
ISTHMUS_EXPORT int fuse_fs_fsyncdir(fuse_fs* fs, const char* path, int datasync, fuse_file_info* fi) {
  return fs->call(&Ops::fsyncdir, path, datasync, fi);
}
ISTHMUS_EXPORT int fuse_fs_releasedir(fuse_fs* fs, const char* path, fuse_file_info* fi) {
  return fs->call_or_succeed(&Ops::releasedir, path, fi);
}

ISTHMUS_EXPORT int fuse_fs_setxattr(fuse_fs* fs, const char* path, const char* name, const char* value, size_t size,
                                    int flags) {
  return fs->call(&Ops::setxattr, path, name, value, size, flags);
}
ISTHMUS_EXPORT int fuse_fs_getxattr(fuse_fs* fs, const char* path, const char* name, char* value, size_t size) {
  return fs->call(&Ops::getxattr, path, name, value, size);
}
ISTHMUS_EXPORT int fuse_fs_listxattr(fuse_fs* fs, const char* path, char* list, size_t size) {
  return fs->call(&Ops::listxattr, path, list, size);
}
ISTHMUS_EXPORT int fuse_fs_removexattr(fuse_fs* fs, const char* path, const char* name) {
  return fs->call(&Ops::removexattr, path, name);
}

ISTHMUS_EXPORT int fuse_fs_statfs(fuse_fs* fs, const char* path, struct statvfs* buf) { return fs->statfs(path, buf); }
ISTHMUS_EXPORT void fuse_fs_init(fuse_fs* fs, fuse_conn_info* conn, fuse_config* cfg) { fs->init(*conn, *cfg); }
ISTHMUS_EXPORT void fuse_fs_destroy(fuse_fs* fs) {
  fs->destroy();
  delete fs;
}
