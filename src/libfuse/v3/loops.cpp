/// fuse_session_loop, _loop_mt, _receive_buf, _process_buf.
#include "libfuse/common/loops.h"

#include <cstdlib>
#include <utility>

#include "libfuse/common/exports.h"
#include "libfuse/v3/loop_config.h"

using namespace isthmus;
using namespace isthmus::libfuse;

ISTHMUS_EXPORT int fuse_session_loop(fuse_session* se) { return loop_here(*se); }

ISTHMUS_EXPORT int fuse_session_loop_mt(fuse_session* se, fuse_loop_config* config) {
  if (config && config->version != fuse_loop_config::kVersion) return -EINVAL;
  const fuse_loop_config c = config ? *config : fuse_loop_config{};
  se->clone_fd = c.clone_fd != 0;
  return loop_on_threads(*se, c.max_threads);
}
ISTHMUS_EXPORT int fuse_session_loop_mt_312(fuse_session* se, fuse_loop_config* config) {
  return fuse_session_loop_mt(se, config);
}
ISTHMUS_EXPORT int fuse_session_loop_mt_32(fuse_session* se, fuse_loop_config_v1* config) {
  fuse_loop_config c;
  if (config) fuse_loop_cfg_convert(&c, config);
  return fuse_session_loop_mt(se, &c);
}
ISTHMUS_EXPORT int fuse_session_loop_mt_31(fuse_session* se, int clone_fd) {
  fuse_loop_config c;
  c.clone_fd = clone_fd;
  return fuse_session_loop_mt(se, &c);
}
ISTHMUS_OLD_VERSION(fuse_session_loop_mt, fuse_session_loop_mt_v32, "FUSE_3.2")
ISTHMUS_EXPORT int fuse_session_loop_mt_v32(fuse_session* se, fuse_loop_config_v1* config) {
  return fuse_session_loop_mt_32(se, config);
}
ISTHMUS_OLD_VERSION(fuse_session_loop_mt, fuse_session_loop_mt_v30, "FUSE_3.0")
ISTHMUS_EXPORT int fuse_session_loop_mt_v30(fuse_session* se, int clone_fd) {
  return fuse_session_loop_mt_31(se, clone_fd);
}

ISTHMUS_EXPORT int fuse_session_receive_buf(fuse_session* se, fuse_buf* buf) {
#if ISTHMUS_FUSE3_SO >= 4
  // Memory of the program's own, which need not be enough.
  if (buf->mem && buf->mem_size > 0 && buf->mem_size < kMessageMax) free(std::exchange(buf->mem, nullptr));
  if (!buf->mem) buf->mem_size = kMessageMax;
#endif
  if (!buf->mem) buf->mem = malloc(kMessageMax);
  if (!buf->mem) return -ENOMEM;
  int n = receive(*se, {static_cast<std::byte*>(buf->mem), kMessageMax});
  if (n <= 0) return n;
  buf->size = static_cast<size_t>(n);
  buf->flags = static_cast<fuse_buf_flags>(buf->flags & ~FUSE_BUF_IS_FD);
  return n;
}

ISTHMUS_EXPORT void fuse_session_process_buf(fuse_session* se, const fuse_buf* buf) { process(*se, *buf); }
