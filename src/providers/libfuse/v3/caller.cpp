#include "providers/libfuse/v3/caller.h"

#include "vfs/permissions.h"

namespace isthmus::libfuse {
namespace {

thread_local fuse_context t_context;
thread_local Cancel* t_cancel;

}  // namespace

Caller::Caller(struct fuse* f, const Context& ctx) {
  t_context.fuse = f;
  t_context.uid = ctx.cred.known ? ctx.cred.uid : uid_t(-1);
  t_context.gid = ctx.cred.known ? ctx.cred.gid : gid_t(-1);
  t_context.pid = static_cast<pid_t>(ctx.cred.pid);
  t_context.umask = ctx.cred.umask;
  t_cancel = ctx.cancel;
}

Caller::Caller(struct fuse* f) {
  t_context = {};
  t_context.fuse = f;
  t_cancel = nullptr;
}

Caller::~Caller() { t_cancel = nullptr; }

fuse_context& Caller::context() { return t_context; }
bool Caller::interrupted() { return t_cancel && t_cancel->requested(); }

int groups_of(pid_t process, int size, gid_t* list) {
  auto groups = groups_of_process(static_cast<uint32_t>(process));
  if (!groups) return -groups.code();
  for (size_t i = 0; i < groups->size() && static_cast<int>(i) < size; i++) list[i] = (*groups)[i];
  return static_cast<int>(groups->size());
}

}  // namespace isthmus::libfuse
