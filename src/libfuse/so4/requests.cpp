/// fuse_reply_statx, fuse_passthrough_*, and what a request may be asked.
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/request.h"
#include "wire/fuse/device.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT int fuse_reply_statx(fuse_req_t req, int /*flags*/, struct statx* statx, double attr_timeout) {
  req->requests.finish(req, isthmus::Attributes{to_attr(*statx), to_ttl(attr_timeout)});
  return 0;
}

ISTHMUS_EXPORT int fuse_passthrough_open(fuse_req_t req, int fd) {
  isthmus::wire::fuse::BackingMap map{fd, 0, 0};
  int id = ioctl(req->requests.device, isthmus::wire::fuse::kDevIocBackingOpen, &map);
  if (id > 0) return id;
  message(FUSE_LOG_ERR, "fuse: passthrough_open: %s\n", strerror(errno));
  return 0;
}

ISTHMUS_EXPORT int fuse_passthrough_close(fuse_req_t req, int backing_id) {
  int result = ioctl(req->requests.device, isthmus::wire::fuse::kDevIocBackingClose, &backing_id);
  if (result < 0) message(FUSE_LOG_ERR, "fuse: passthrough_close: %s\n", strerror(errno));
  return result;
}

ISTHMUS_EXPORT bool fuse_req_is_uring(fuse_req_t) { return false; }
ISTHMUS_EXPORT int fuse_req_get_payload(fuse_req_t, char**, size_t*, void**) { return -EINVAL; }

ISTHMUS_EXPORT uint32_t fuse_req_secctx_count(fuse_req_t) { return 0; }
ISTHMUS_EXPORT void fuse_req_secctx_reset(fuse_req_t) {}
ISTHMUS_EXPORT int fuse_req_secctx_next(fuse_req_t, const char**, const char**, uint32_t*) { return -ENOENT; }
