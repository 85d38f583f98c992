/// Names and nodes, attributes.
#include <linux/limits.h>

#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/low_level_fs.h"
#include "providers/libfuse/v3/name.h"

namespace isthmus::libfuse {
namespace {

/// An operation's open file; null when there is none.
class Handle {
 public:
  template <class T>
  explicit Handle(const T& a) : there_(has_handle(a)) {
    fi_.fh = raw(a.handle);
  }
  fuse_file_info* get() { return there_ ? &fi_ : nullptr; }
  fuse_file_info* operator->() { return &fi_; }

 private:
  fuse_file_info fi_{};
  bool there_;
};

}  // namespace

void LowLevelFs::lookup(Call<op::Lookup> c) {
  Name name(c.context(), c->name);
  fuse_ino_t dir = raw(c->dir);
  ops_.lookup(begin(std::move(c)), dir, name);
}

void LowLevelFs::forget(Call<op::Forget> c) {
  fuse_forget_data one{raw(c->node), c->count};
  fuse_req_t r = begin(std::move(c));
  if (ops_.forget) return ops_.forget(r, one.ino, one.nlookup);
  ops_.forget_multi(r, 1, &one);
}

void LowLevelFs::getattr(Call<op::Getattr> c) {
  Handle fi(*c);
  fuse_ino_t node = raw(c->node);
#if ISTHMUS_FUSE3_SO >= 4
  if (c->statx_mask && ops_.statx) {
    auto flags = static_cast<int>(c->statx_flags), mask = static_cast<int>(c->statx_mask);
    return ops_.statx(begin(std::move(c)), node, flags, mask, fi.get());
  }
#endif
  ops_.getattr(begin(std::move(c)), node, fi.get());
}

void LowLevelFs::setattr(Call<op::Setattr> c) {
  Handle fi(*c);
  fi->lock_owner = c->lock_owner;
  fuse_ino_t node = raw(c->node);
  struct stat st = to_stat(c->set.to);
  int what = to_set(c->set.mask);
  if (hears_suidgid && c->set.kill_suidgid) what |= FUSE_SET_ATTR_KILL_SUID;
  ops_.setattr(begin(std::move(c)), node, &st, what, fi.get());
}

void LowLevelFs::readlink(Call<op::Readlink> c) {
  fuse_ino_t node = raw(c->node);
  ops_.readlink(begin(std::move(c)), node);
}

void LowLevelFs::mknod(Call<op::Mknod> c) {
  Name name(c.context(), c->name);
  fuse_ino_t dir = raw(c->dir);
  mode_t mode = c->mode;
  dev_t rdev = c->rdev;
  ops_.mknod(begin(std::move(c)), dir, name, mode, rdev);
}

void LowLevelFs::mkdir(Call<op::Mkdir> c) {
  Name name(c.context(), c->name);
  fuse_ino_t dir = raw(c->dir);
  mode_t mode = c->mode;
  ops_.mkdir(begin(std::move(c)), dir, name, mode);
}

void LowLevelFs::unlink(Call<op::Unlink> c) {
  Name name(c.context(), c->name);
  fuse_ino_t dir = raw(c->dir);
  ops_.unlink(begin(std::move(c)), dir, name);
}

void LowLevelFs::rmdir(Call<op::Rmdir> c) {
  Name name(c.context(), c->name);
  fuse_ino_t dir = raw(c->dir);
  ops_.rmdir(begin(std::move(c)), dir, name);
}

void LowLevelFs::symlink(Call<op::Symlink> c) {
  Name name(c.context(), c->name), target(c.context(), c->target);
  fuse_ino_t dir = raw(c->dir);
  ops_.symlink(begin(std::move(c)), target, dir, name);
}

void LowLevelFs::rename(Call<op::Rename> c) {
  Name name(c.context(), c->name), to_name(c.context(), c->to_name);
  fuse_ino_t dir = raw(c->dir), to_dir = raw(c->to_dir);
  unsigned flags = c->flags;
  ops_.rename(begin(std::move(c)), dir, name, to_dir, to_name, flags);
}

void LowLevelFs::link(Call<op::Link> c) {
  Name name(c.context(), c->to_name);
  fuse_ino_t node = raw(c->node), dir = raw(c->to_dir);
  ops_.link(begin(std::move(c)), node, dir, name);
}

void LowLevelFs::access(Call<op::Access> c) {
  // The kernel hears of it once and allows everything from then on, as programs without it expect.
  if (!ops_.access) return c.fail(ENOSYS);
  fuse_ino_t node = raw(c->node);
  int mask = c->mask;
  ops_.access(begin(std::move(c)), node, mask);
}

void LowLevelFs::statfs(Call<op::Statfs> c) {
  fuse_ino_t node = raw(c->node);
  ops_.statfs(begin(std::move(c)), node);
}

// Sizes are cut by the door, so the whole value is asked for.

void LowLevelFs::get_xattr(Call<op::GetXattr> c) {
  Name name(c.context(), c->name);
  fuse_ino_t node = raw(c->node);
  ops_.getxattr(begin(std::move(c)), node, name, XATTR_SIZE_MAX);
}

void LowLevelFs::list_xattr(Call<op::ListXattr> c) {
  fuse_ino_t node = raw(c->node);
  ops_.listxattr(begin(std::move(c)), node, XATTR_LIST_MAX);
}

void LowLevelFs::set_xattr(Call<op::SetXattr> c) {
  Name name(c.context(), c->name);
  fuse_ino_t node = raw(c->node);
  Bytes value = c->value;
  int flags = c->flags;
  ops_.setxattr(begin(std::move(c)), node, name, reinterpret_cast<const char*>(value.data()), value.size(), flags);
}

void LowLevelFs::remove_xattr(Call<op::RemoveXattr> c) {
  Name name(c.context(), c->name);
  fuse_ino_t node = raw(c->node);
  ops_.removexattr(begin(std::move(c)), node, name);
}

}  // namespace isthmus::libfuse
