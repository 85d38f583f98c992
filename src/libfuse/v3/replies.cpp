/// fuse_reply_open, fuse_reply_create.
#include "libfuse/common/exports.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/request.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT int fuse_reply_create(fuse_req_t req, const fuse_entry_param* e, const fuse_file_info* fi) {
  req->requests.finish(req, isthmus::Created{to_entry(*e), to_opened(*fi)});
  return 0;
}

ISTHMUS_EXPORT int fuse_reply_open(fuse_req_t req, const fuse_file_info* fi) {
  req->requests.finish(req, to_opened(*fi));
  return 0;
}
