/// The tables of all versions as the one of today.
#include <algorithm>
#include <cstring>

#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v2/layer.h"

namespace isthmus::libfuse::v2 {
namespace {

template <class From>
Callbacks start_of_table(const From* ops, size_t size, Since since) {
  Callbacks c;
  c.since = since;
  if (size > sizeof c.op)
    message(FUSE_LOG_ERR,
            "fuse: warning: the program knows more operations than this library; they will not be used\n");
  memcpy(static_cast<void*>(&c.op), ops, std::min({size, sizeof c.op, sizeof(From)}));
  return c;
}

/// What versions 1 and 2.0 have in common with today's: what comes before open().
template <class From>
void take_names(const From& ops, Callbacks& c) {
  c.op.getattr = ops.getattr;
  c.op.readlink = ops.readlink;
  c.op.mknod = ops.mknod;
  c.op.mkdir = ops.mkdir;
  c.op.unlink = ops.unlink;
  c.op.rmdir = ops.rmdir;
  c.op.symlink = ops.symlink;
  c.op.rename = ops.rename;
  c.op.link = ops.link;
  c.op.chmod = ops.chmod;
  c.op.chown = ops.chown;
  c.op.truncate = ops.truncate;
  c.op.utime = ops.utime;
  c.before_2_2.getdir = ops.getdir;
  c.before_2_2.open = ops.open;
  c.before_2_2.read = ops.read;
  c.before_2_2.write = ops.write;
  c.before_2_2.release = ops.release;
  c.before_2_2.fsync = ops.fsync;
}

}  // namespace

Callbacks callbacks_of(const fuse_operations* ops, size_t size) { return start_of_table(ops, size, Since::v2_5); }
Callbacks callbacks_of(const fuse_operations_compat25* ops, size_t size) {
  return start_of_table(ops, size, Since::v2_5);
}

Callbacks callbacks_of(const fuse_operations_compat22* ops, size_t size) {
  Callbacks c = start_of_table(ops, size, Since::v2_2);
  c.op.statfs = nullptr;
  if (size >= offsetof(fuse_operations_compat22, statfs) + sizeof ops->statfs) c.statfs_before_2_5 = ops->statfs;
  return c;
}

Callbacks callbacks_of(const fuse_operations_compat2& ops) {
  Callbacks c;
  c.since = Since::v2_0;
  take_names(ops, c);
  c.before_2_2.flush = ops.flush;
  c.statfs_before_2_5 = ops.statfs;
  c.op.setxattr = ops.setxattr;
  c.op.getxattr = ops.getxattr;
  c.op.listxattr = ops.listxattr;
  c.op.removexattr = ops.removexattr;
  return c;
}

Callbacks callbacks_of(const fuse_operations_compat1& ops) {
  Callbacks c;
  c.since = Since::v1_1;
  take_names(ops, c);
  c.before_2_2.statfs_1 = ops.statfs;
  return c;
}

}  // namespace isthmus::libfuse::v2
