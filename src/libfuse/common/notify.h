#pragma once
#include "libfuse/common/session.h"

/// What fuse_lowlevel_notify_*() do. 0 or -errno; -EINVAL: no session. Functions of version 2 name a channel instead.
namespace isthmus::libfuse {

int notify_inval_inode(fuse_session* se, fuse_ino_t ino, off_t off, off_t len);
int notify_inval_entry(fuse_session* se, fuse_ino_t parent, std::string_view name, bool expire_only);
int notify_delete(fuse_session* se, fuse_ino_t parent, fuse_ino_t child, std::string_view name);
int notify_store(fuse_session* se, fuse_ino_t ino, off_t offset, fuse_bufvec& data);
int notify_retrieve(fuse_session* se, fuse_ino_t ino, size_t size, off_t offset, void* cookie);

}  // namespace isthmus::libfuse
