/// fuse_lowlevel_notify_*: news for the kernel, by channel.
#include "libfuse/common/notify.h"

#include "libfuse/v2/exports.h"
#include "libfuse/v2/session.h"

namespace isthmus::libfuse::v2 {
namespace {

::fuse_session* session_of(const fuse_chan* ch) { return ch && ch->session ? ch->session->core : nullptr; }

}  // namespace

ISTHMUS_FUNCTION_2(int, fuse_lowlevel_notify_inval_inode, fuse_chan* ch, fuse_ino_t ino, off_t off, off_t len) {
  return notify_inval_inode(session_of(ch), ino, off, len);
}

ISTHMUS_FUNCTION_2(int, fuse_lowlevel_notify_inval_entry, fuse_chan* ch, fuse_ino_t parent, const char* name,
                   size_t namelen) {
  return notify_inval_entry(session_of(ch), parent, {name, namelen}, false);
}

ISTHMUS_FUNCTION_2(int, fuse_lowlevel_notify_delete, fuse_chan* ch, fuse_ino_t parent, fuse_ino_t child,
                   const char* name, size_t namelen) {
  return notify_delete(session_of(ch), parent, child, {name, namelen});
}

ISTHMUS_FUNCTION_2(int, fuse_lowlevel_notify_store, fuse_chan* ch, fuse_ino_t ino, off_t offset, fuse_bufvec* bufv,
                   fuse_buf_copy_flags) {
  return notify_store(session_of(ch), ino, offset, *reinterpret_cast<::fuse_bufvec*>(bufv));
}

ISTHMUS_FUNCTION_2(int, fuse_lowlevel_notify_retrieve, fuse_chan* ch, fuse_ino_t ino, size_t size, off_t offset,
                   void* cookie) {
  return notify_retrieve(session_of(ch), ino, size, offset, cookie);
}

}  // namespace isthmus::libfuse::v2
