/// fuse_fs_*: what modules call of the file system below them.
#include "libfuse/v2/exports.h"
#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/v2/file_info.h"
#include "providers/libfuse/v2/layer.h"

namespace isthmus::libfuse::v2 {
namespace {

using Own = ::fuse_operations;

/// A fuse_fs of version 2 is one of ours.
::fuse_fs& own(fuse_fs* fs) { return *reinterpret_cast<::fuse_fs*>(fs); }

}  // namespace

ISTHMUS_FUNCTION_2(int, fuse_fs_getattr, fuse_fs* fs, const char* path, struct stat* buf) {
  return own(fs).call(&Own::getattr, path, buf, nullptr);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_fgetattr, fuse_fs* fs, const char* path, struct stat* buf, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::getattr, path, buf, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_rename, fuse_fs* fs, const char* oldpath, const char* newpath) {
  return own(fs).call(&Own::rename, oldpath, newpath, 0u);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_unlink, fuse_fs* fs, const char* path) { return own(fs).call(&Own::unlink, path); }

ISTHMUS_FUNCTION_2(int, fuse_fs_rmdir, fuse_fs* fs, const char* path) { return own(fs).call(&Own::rmdir, path); }

ISTHMUS_FUNCTION_2(int, fuse_fs_symlink, fuse_fs* fs, const char* linkname, const char* path) {
  return own(fs).call(&Own::symlink, linkname, path);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_link, fuse_fs* fs, const char* oldpath, const char* newpath) {
  return own(fs).call(&Own::link, oldpath, newpath);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_chmod, fuse_fs* fs, const char* path, mode_t mode) {
  return own(fs).call(&Own::chmod, path, mode, nullptr);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_chown, fuse_fs* fs, const char* path, uid_t uid, gid_t gid) {
  return own(fs).call(&Own::chown, path, uid, gid, nullptr);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_truncate, fuse_fs* fs, const char* path, off_t size) {
  return own(fs).call(&Own::truncate, path, size, nullptr);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_ftruncate, fuse_fs* fs, const char* path, off_t size, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::truncate, path, size, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_utimens, fuse_fs* fs, const char* path, const timespec tv[2]) {
  return own(fs).call(&Own::utimens, path, tv, nullptr);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_access, fuse_fs* fs, const char* path, int mask) {
  return own(fs).call(&Own::access, path, mask);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_readlink, fuse_fs* fs, const char* path, char* buf, size_t len) {
  return own(fs).call(&Own::readlink, path, buf, len);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_mknod, fuse_fs* fs, const char* path, mode_t mode, dev_t rdev) {
  return own(fs).call(&Own::mknod, path, mode, rdev);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_mkdir, fuse_fs* fs, const char* path, mode_t mode) {
  return own(fs).call(&Own::mkdir, path, mode);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_setxattr, fuse_fs* fs, const char* path, const char* name, const char* value,
                   size_t size, int flags) {
  return own(fs).call(&Own::setxattr, path, name, value, size, flags);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_getxattr, fuse_fs* fs, const char* path, const char* name, char* value, size_t size) {
  return own(fs).call(&Own::getxattr, path, name, value, size);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_listxattr, fuse_fs* fs, const char* path, char* list, size_t size) {
  return own(fs).call(&Own::listxattr, path, list, size);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_removexattr, fuse_fs* fs, const char* path, const char* name) {
  return own(fs).call(&Own::removexattr, path, name);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_bmap, fuse_fs* fs, const char* path, size_t blocksize, uint64_t* idx) {
  return own(fs).call(&Own::bmap, path, blocksize, idx);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_open, fuse_fs* fs, const char* path, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call_or_succeed(&Own::open, path, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_release, fuse_fs* fs, const char* path, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call_or_succeed(&Own::release, path, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_opendir, fuse_fs* fs, const char* path, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call_or_succeed(&Own::opendir, path, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_releasedir, fuse_fs* fs, const char* path, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call_or_succeed(&Own::releasedir, path, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_create, fuse_fs* fs, const char* path, mode_t mode, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::create, path, mode, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_read, fuse_fs* fs, const char* path, char* buf, size_t size, off_t off,
                   fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).read(path, buf, size, off, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_read_buf, fuse_fs* fs, const char* path, fuse_bufvec** bufp, size_t size, off_t off,
                   fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).read_buf(path, reinterpret_cast<::fuse_bufvec**>(bufp), size, off, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_write, fuse_fs* fs, const char* path, const char* buf, size_t size, off_t off,
                   fuse_file_info* fi) {
  OwnFileInfo info(fi);
  ::fuse_bufvec list = one_piece_list(buf, size);
  return own(fs).write_buf(path, &list, off, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_write_buf, fuse_fs* fs, const char* path, fuse_bufvec* buf, off_t off,
                   fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).write_buf(path, reinterpret_cast<::fuse_bufvec*>(buf), off, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_fsync, fuse_fs* fs, const char* path, int datasync, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::fsync, path, datasync, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_flush, fuse_fs* fs, const char* path, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::flush, path, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_statfs, fuse_fs* fs, const char* path, struct statvfs* buf) {
  return own(fs).statfs(path, buf);
}

namespace {

struct Filling {
  void* buf;
  fuse_fill_dir_t fill;
  static int name(void* self, const char* name, const struct stat* st, off_t off, ::fuse_fill_dir_flags) {
    auto& f = *static_cast<Filling*>(self);
    return f.fill(f.buf, name, st, off);
  }
};

}  // namespace

ISTHMUS_FUNCTION_2(int, fuse_fs_readdir, fuse_fs* fs, const char* path, void* buf, fuse_fill_dir_t filler, off_t off,
                   fuse_file_info* fi) {
  OwnFileInfo info(fi);
  Filling filling{buf, filler};
  return own(fs).call(&Own::readdir, path, static_cast<void*>(&filling), &Filling::name, off, info.get(),
                      ::fuse_readdir_flags{});
}

ISTHMUS_FUNCTION_2(int, fuse_fs_fsyncdir, fuse_fs* fs, const char* path, int datasync, fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::fsyncdir, path, datasync, info.get());
}

ISTHMUS_FUNCTION_2(int, fuse_fs_lock, fuse_fs* fs, const char* path, fuse_file_info* fi, int cmd, struct flock* lock) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::lock, path, info.get(), cmd, lock);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_flock, fuse_fs* fs, const char* path, fuse_file_info* fi, int op) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::flock, path, info.get(), op);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_ioctl, fuse_fs* fs, const char* path, int cmd, void* arg, fuse_file_info* fi,
                   unsigned flags, void* data) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::ioctl, path, static_cast<unsigned>(cmd), arg, info.get(), flags, data);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_poll, fuse_fs* fs, const char* path, fuse_file_info* fi, fuse_pollhandle* ph,
                   unsigned* reventsp) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::poll, path, info.get(), reinterpret_cast<::fuse_pollhandle*>(ph), reventsp);
}

ISTHMUS_FUNCTION_2(int, fuse_fs_fallocate, fuse_fs* fs, const char* path, int mode, off_t offset, off_t length,
                   fuse_file_info* fi) {
  OwnFileInfo info(fi);
  return own(fs).call(&Own::fallocate, path, mode, offset, length, info.get());
}

ISTHMUS_FUNCTION_2(void, fuse_fs_init, fuse_fs* fs, fuse_conn_info* conn) {
  ::fuse_conn_info info{};
  info.proto_major = conn->proto_major;
  info.proto_minor = conn->proto_minor;
  info.capable = conn->capable;
  take_answer(*conn, info);
  ::fuse_config config{};
  own(fs).init(info, config);
  *conn = to_v2(info);
}

ISTHMUS_FUNCTION_2(void, fuse_fs_destroy, fuse_fs* fs) {
  own(fs).destroy();
  delete &own(fs);
}

}  // namespace isthmus::libfuse::v2
