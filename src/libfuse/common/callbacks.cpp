/// What callbacks of paths may ask.
#include "libfuse/common/exports.h"
#include "providers/libfuse/v3/caller.h"

#include <isthmus/fuse3/fuse_lowlevel.h>

using namespace isthmus::libfuse;

ISTHMUS_EXPORT fuse_context* fuse_get_context() { return &Caller::context(); }
ISTHMUS_EXPORT int fuse_interrupted() { return Caller::interrupted(); }
ISTHMUS_EXPORT int fuse_getgroups(int size, gid_t list[]) { return groups_of(Caller::context().pid, size, list); }

ISTHMUS_EXPORT int fuse_notify_poll(fuse_pollhandle* ph) { return fuse_lowlevel_notify_poll(ph); }
