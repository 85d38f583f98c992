/// fuse_req_*.
#include "libfuse/common/exports.h"
#include "providers/libfuse/v3/caller.h"
#include "providers/libfuse/v3/request.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT void* fuse_req_userdata(fuse_req_t req) { return req->requests.userdata; }
ISTHMUS_EXPORT const fuse_ctx* fuse_req_ctx(fuse_req_t req) { return &req->who; }

ISTHMUS_EXPORT int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]) {
  return groups_of(req->who.pid, size, list);
}

ISTHMUS_EXPORT void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void* data) {
  set_interrupt_function(*req, func, data);
}

ISTHMUS_EXPORT int fuse_req_interrupted(fuse_req_t req) { return req->requests.interrupted(*req); }
