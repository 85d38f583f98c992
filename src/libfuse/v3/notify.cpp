/// fuse_lowlevel_notify_*.
#include "libfuse/common/notify.h"

#include "libfuse/common/exports.h"

using namespace isthmus::libfuse;

namespace {

/// The original does not know the kernel yet.
bool before_init(const fuse_session* se) { return se && !se->had_init; }

}  // namespace

ISTHMUS_EXPORT int fuse_lowlevel_notify_inval_inode(fuse_session* se, fuse_ino_t ino, off_t off, off_t len) {
  return before_init(se) ? -ENOSYS : notify_inval_inode(se, ino, off, len);
}

ISTHMUS_EXPORT int fuse_lowlevel_notify_inval_entry(fuse_session* se, fuse_ino_t parent, const char* name,
                                                    size_t namelen) {
  return before_init(se) ? -ENOSYS : notify_inval_entry(se, parent, {name, namelen}, false);
}

#if ISTHMUS_FUSE3_SO >= 4
ISTHMUS_EXPORT int fuse_lowlevel_notify_expire_entry(fuse_session* se, fuse_ino_t parent, const char* name,
                                                     size_t namelen) {
  return before_init(se) ? -ENOSYS : notify_inval_entry(se, parent, {name, namelen}, true);
}
#else
ISTHMUS_EXPORT int fuse_lowlevel_notify_expire_entry(fuse_session* se, fuse_ino_t parent, const char* name,
                                                     size_t namelen, fuse_expire_flags flags) {
  return before_init(se) ? -ENOSYS : notify_inval_entry(se, parent, {name, namelen}, flags & FUSE_LL_EXPIRE_ONLY);
}
#endif

ISTHMUS_EXPORT int fuse_lowlevel_notify_delete(fuse_session* se, fuse_ino_t parent, fuse_ino_t child, const char* name,
                                               size_t namelen) {
  return before_init(se) ? -ENOSYS : notify_delete(se, parent, child, {name, namelen});
}

ISTHMUS_EXPORT int fuse_lowlevel_notify_store(fuse_session* se, fuse_ino_t ino, off_t offset, fuse_bufvec* bufv,
                                              fuse_buf_copy_flags) {
  return before_init(se) ? -ENOSYS : notify_store(se, ino, offset, *bufv);
}

ISTHMUS_EXPORT int fuse_lowlevel_notify_retrieve(fuse_session* se, fuse_ino_t ino, size_t size, off_t offset,
                                                 void* cookie) {
  return before_init(se) ? -ENOSYS : notify_retrieve(se, ino, size, offset, cookie);
}
