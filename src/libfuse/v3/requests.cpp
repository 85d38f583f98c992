/// fuse_req_*.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "libfuse/v3/exports.h"
#include "providers/libfuse/v3/request.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT void* fuse_req_userdata(fuse_req_t req) { return req->requests.userdata; }
ISTHMUS_EXPORT const fuse_ctx* fuse_req_ctx(fuse_req_t req) { return &req->who; }

ISTHMUS_EXPORT int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]) {
  std::string pid = std::to_string(req->who.pid);
  std::ifstream status("/proc/" + pid + "/task/" + pid + "/status");
  if (!status) return -ESRCH;
  constexpr std::string_view kGroups = "Groups:";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kGroups)) continue;
    std::istringstream numbers(line.substr(kGroups.size()));
    int count = 0;
    for (gid_t g; numbers >> g; count++)
      if (count < size) list[count] = g;
    return count;
  }
  return -EIO;
}

ISTHMUS_EXPORT void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void* data) {
  set_interrupt_function(*req, func, data);
}

ISTHMUS_EXPORT int fuse_req_interrupted(fuse_req_t req) { return req->cancel && req->cancel->requested(); }
