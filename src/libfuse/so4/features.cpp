/// Capabilities of 64 bits: fuse_set_feature_flag and its like.
#include <cerrno>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/wants.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT bool fuse_set_feature_flag(fuse_conn_info* conn, uint64_t flag) {
  if (!(conn->capable_ext & flag)) return false;
  add_wants(*conn, flag);
  const Shown s = shown(*conn);
  set_shown(*conn, {s.want | static_cast<uint32_t>(flag), s.want_ext | flag});
  return true;
}

ISTHMUS_EXPORT void fuse_unset_feature_flag(fuse_conn_info* conn, uint64_t flag) {
  drop_wants(*conn, flag);
  const Shown s = shown(*conn);
  set_shown(*conn, {s.want & ~static_cast<uint32_t>(flag), s.want_ext & ~flag});
}

ISTHMUS_EXPORT bool fuse_get_feature_flag(fuse_conn_info* conn, uint64_t flag) { return conn->capable_ext & flag; }

ISTHMUS_EXPORT int fuse_convert_to_conn_want_ext(fuse_conn_info* conn) {
  constexpr uint64_t kLow = UINT32_MAX;
  fuse_conn_info& c = *conn;
  const Shown s = shown(c);
  if (c.want != s.want && c.want != (c.want_ext & kLow)) {
    if (c.want_ext != s.want_ext) {
      message(FUSE_LOG_ERR, "fuse: the file system has written to both fuse_conn_info::want and want_ext\n");
      return -EINVAL;
    }
    c.want_ext = (c.want_ext & ~kLow) | c.want;
  }
  c.want = static_cast<unsigned>(c.want_ext);
  return 0;
}

ISTHMUS_EXPORT bool fuse_set_conn_flag(fuse_conn_info* conn, uint64_t flag) {
  switch (flag) {
    case FUSE_CONN_FLAG_SINGLE_ISSUER:
      conn->io_uring_single_issuer = 1;
      return true;
    case FUSE_CONN_FLAG_NO_INTERRUPT:
      conn->no_interrupt = 1;
      return true;
    default:
      return false;
  }
}
