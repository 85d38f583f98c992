/// Open files and directories.
#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/low_level_fs.h"
#include "providers/libfuse/v3/name.h"

namespace isthmus::libfuse {
void LowLevelFs::open(Call<op::Open> c) {
  fuse_file_info fi = info_of(HandleId::none, c->flags);
  set_kill_suidgid(fi, hears_suidgid && c->kill_suidgid);
  fuse_ino_t node = raw(c->node);
  ops_.open(begin(std::move(c)), node, &fi);
}

void LowLevelFs::create(Call<op::Create> c) {
  fuse_file_info fi = info_of(HandleId::none, c->flags);
  set_kill_suidgid(fi, hears_suidgid && c->kill_suidgid);
  Name name(c.context(), c->name);
  fuse_ino_t dir = raw(c->dir);
  mode_t mode = c->mode;
  ops_.create(begin(std::move(c)), dir, name, mode, &fi);
}

#if ISTHMUS_FUSE3_SO >= 4
void LowLevelFs::tmpfile(Call<op::Tmpfile> c) {
  fuse_file_info fi = info_of(HandleId::none, c->flags);
  fuse_ino_t dir = raw(c->dir);
  mode_t mode = c->mode;
  ops_.tmpfile(begin(std::move(c)), dir, mode, &fi);
}

void LowLevelFs::sync(Call<op::Sync> c) { ops_.syncfs(begin(std::move(c)), FUSE_ROOT_ID); }
#endif

void LowLevelFs::read(Call<op::Read> c) {
  fuse_file_info fi = info_of(c->handle, c->flags, c->lock_owner);
  fuse_ino_t node = raw(c->node);
  size_t size = c->size;
  auto offset = static_cast<off_t>(c->offset);
  ops_.read(begin(std::move(c)), node, size, offset, &fi);
}

void LowLevelFs::write(Call<op::Write> c) {
  fuse_file_info fi = info_of(c->handle, c->flags, c->lock_owner);
  fi.writepage = c->from_cache;
  set_kill_suidgid(fi, hears_suidgid && c->kill_suidgid);
  fuse_ino_t node = raw(c->node);
  auto offset = static_cast<off_t>(c->offset);
  std::string copy;
  auto all = c->data->in_one_piece(copy);
  if (!all) return c.fail(all.error());
  Bytes data = *all;
  if (!ops_.write_buf)
    return ops_.write(begin(std::move(c)), node, reinterpret_cast<const char*>(data.data()), data.size(), offset, &fi);
  fuse_bufvec list = one_piece_list(data.data(), data.size());
  ops_.write_buf(begin(std::move(c)), node, &list, offset, &fi);
}

void LowLevelFs::flush(Call<op::Flush> c) {
  fuse_file_info fi = info_of(c->handle, 0, c->lock_owner);
  fi.flush = 1;
  fuse_ino_t node = raw(c->node);
  ops_.flush(begin(std::move(c)), node, &fi);
}

void LowLevelFs::release(Call<op::Release> c) {
  fuse_file_info fi = info_of(c->handle, c->flags, c->lock_owner);
  fi.flock_release = c->unlock_flock;
  fuse_ino_t node = raw(c->node);
  ops_.release(begin(std::move(c)), node, &fi);
}

void LowLevelFs::fsync(Call<op::Fsync> c) {
  fuse_file_info fi = info_of(c->handle);
  fuse_ino_t node = raw(c->node);
  int data_only = c->data_only;
  ops_.fsync(begin(std::move(c)), node, data_only, &fi);
}

void LowLevelFs::fallocate(Call<op::Fallocate> c) {
  fuse_file_info fi = info_of(c->handle);
  fuse_ino_t node = raw(c->node);
  int mode = c->mode;
  auto offset = static_cast<off_t>(c->offset), length = static_cast<off_t>(c->length);
  ops_.fallocate(begin(std::move(c)), node, mode, offset, length, &fi);
}

void LowLevelFs::seek_hole(Call<op::SeekHole> c) {
  fuse_file_info fi = info_of(c->handle);
  fuse_ino_t node = raw(c->node);
  auto offset = static_cast<off_t>(c->offset);
  int whence = c->whence;
  ops_.lseek(begin(std::move(c)), node, offset, whence, &fi);
}

void LowLevelFs::copy_range(Call<op::CopyRange> c) {
  fuse_file_info from = info_of(c->from_handle), to = info_of(c->to_handle);
  op::CopyRange a = *c;
  ops_.copy_file_range(begin(std::move(c)), raw(a.from), static_cast<off_t>(a.from_offset), &from, raw(a.to),
                       static_cast<off_t>(a.to_offset), &to, a.length, static_cast<int>(a.flags));
}

void LowLevelFs::get_lock(Call<op::GetLock> c) {
  fuse_file_info fi = info_of(c->handle, 0, c->lock.owner);
  fuse_ino_t node = raw(c->node);
  struct flock lock = to_flock(c->lock);
  ops_.getlk(begin(std::move(c)), node, &fi, &lock);
}

void LowLevelFs::set_lock(Call<op::SetLock> c) {
  fuse_file_info fi = info_of(c->handle, 0, c->lock.owner);
  fuse_ino_t node = raw(c->node);
  bool wait = c->wait;
  if (!c->whole_file) {
    if (!ops_.setlk) return c.fail(ENOSYS);
    struct flock lock = to_flock(c->lock);
    return ops_.setlk(begin(std::move(c)), node, &fi, &lock, wait);
  }
  if (!ops_.flock) return c.fail(ENOSYS);
  int how = to_flock_operation(c->lock, wait);
  ops_.flock(begin(std::move(c)), node, &fi, how);
}

void LowLevelFs::ioctl(Call<op::Ioctl> c) {
  fuse_file_info fi = info_of(c->handle);
  op::Ioctl a = *c;
  unsigned flags = to_ioctl_flags(a);
  const void* in = a.in.empty() ? nullptr : a.in.data();
  auto* arg = reinterpret_cast<void*>(a.arg);  // NOLINT(performance-no-int-to-ptr): the API's
  ops_.ioctl(begin(std::move(c)), raw(a.node), a.command, arg, &fi, flags, in, a.in.size(), a.out_max);
}

void LowLevelFs::poll(Call<op::Poll> c) {
  fuse_file_info fi = info_of(c->handle);
  fi.poll_events = c->events;
  fuse_ino_t node = raw(c->node);
  // The program's from now on, until fuse_pollhandle_destroy().
  auto* handle = c->arm ? new fuse_pollhandle{session, c->node, c->handle} : nullptr;
  ops_.poll(begin(std::move(c)), node, &fi, handle);
}

void LowLevelFs::bmap(Call<op::Bmap> c) {
  fuse_ino_t node = raw(c->node);
  size_t block_size = c->block_size;
  uint64_t block = c->block;
  ops_.bmap(begin(std::move(c)), node, block_size, block);
}

void LowLevelFs::open_dir(Call<op::OpenDir> c) {
  fuse_file_info fi = info_of(HandleId::none, c->flags);
  fuse_ino_t node = raw(c->node);
  ops_.opendir(begin(std::move(c)), node, &fi);
}

void LowLevelFs::read_dir(Call<op::ReadDir> c) {
  fuse_file_info fi = info_of(c->handle);
  fuse_ino_t node = raw(c->node);
  size_t size = c->sink->room();
  auto offset = static_cast<off_t>(c->cookie);
  bool plus = ops_.readdirplus && (c->with_attr || !ops_.readdir);
  fuse_req_t r = begin(std::move(c));
  r->plus = plus;
  (plus ? ops_.readdirplus : ops_.readdir)(r, node, size, offset, &fi);
}

void LowLevelFs::release_dir(Call<op::ReleaseDir> c) {
  fuse_file_info fi = info_of(c->handle);
  fuse_ino_t node = raw(c->node);
  ops_.releasedir(begin(std::move(c)), node, &fi);
}

void LowLevelFs::fsync_dir(Call<op::FsyncDir> c) {
  fuse_file_info fi = info_of(c->handle);
  fuse_ino_t node = raw(c->node);
  int data_only = c->data_only;
  ops_.fsyncdir(begin(std::move(c)), node, data_only, &fi);
}

}  // namespace isthmus::libfuse
