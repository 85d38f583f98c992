/// fuse_session_new and _destroy, what ends a session.
#include "libfuse/common/session.h"

#include "libfuse/common/exports.h"
#include "libfuse/common/loops.h"
#include "libfuse/common/signals.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/v3/low_level_fs.h"

using namespace isthmus::libfuse;

// A macro of libfuse3.so.4's header.
#undef fuse_session_new

ISTHMUS_EXPORT fuse_session* fuse_session_new(fuse_args* args, const fuse_lowlevel_ops* op, size_t op_size,
                                              void* userdata) {
  if (!has_arguments(args)) return nullptr;
  try {
    return make_session(*args, std::make_unique<LowLevelFs>(whole_table(op, op_size), userdata)).release();
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

#if ISTHMUS_FUSE3_SO >= 4
ISTHMUS_EXPORT fuse_session* fuse_session_new_versioned(fuse_args* args, const fuse_lowlevel_ops* op, size_t op_size,
                                                        libfuse_version*, void* userdata) {
  return fuse_session_new(args, op, op_size, userdata);
}
#endif

ISTHMUS_EXPORT void fuse_session_destroy(fuse_session* se) {
  if (!se) return;
  end_session(*se);
  delete se;
}

ISTHMUS_EXPORT void fuse_session_exit(fuse_session* se) { ask_to_exit(*se); }
ISTHMUS_EXPORT void fuse_session_reset(fuse_session* se) { reset(*se); }
ISTHMUS_EXPORT int fuse_session_exited(fuse_session* se) { return se->exited; }
ISTHMUS_EXPORT int fuse_session_fd(fuse_session* se) { return se->fd; }

ISTHMUS_EXPORT int fuse_set_signal_handlers(fuse_session* se) { return set_signal_handlers(*se); }
ISTHMUS_EXPORT void fuse_remove_signal_handlers(fuse_session* se) { remove_signal_handlers(*se); }
