/// fuse_new, fuse_destroy, and what works on a struct fuse.
#include "libfuse/v2/fuse.h"

#include <cstdlib>

#include "libfuse/common/loops.h"
#include "libfuse/v2/exports.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/no_throw.h"

namespace isthmus::libfuse::v2 {

namespace {

fuse* make(fuse_chan* ch, fuse_args& args, const Callbacks& callbacks, void* user_data) {
  ::fuse_config config;
  std::string modules;
  if (!parse_fuse_options(args, config, modules)) return nullptr;
  auto top = with_modules(make_layer(callbacks, user_data), modules, args, find_module);
  if (!top) return nullptr;
  auto f = std::make_unique<fuse>();
  auto session = [&](std::unique_ptr<Program> program) { return v2::make_session(args, std::move(program)); };
  f->core = libfuse::make_fuse(std::move(top), config, session);
  if (!f->core) return nullptr;
  HighLevelFs& fs = *f->core->fs;
  fs.owner = reinterpret_cast<struct ::fuse*>(f.get());
  // Without a path there is no callback for what they change, and only perhaps one for what they are.
  fs.setattr_by_handle = false;
  fs.getattr_by_handle = callbacks.op.fgetattr != nullptr;
  f->session.core = f->core->se.get();
  f->session.data = f.get();
  if (ch) add_channel(f->session, *ch);
  return f.release();
}

/// Before 2.6: a descriptor.
fuse* make_on_descriptor(int fd, fuse_args& args, const Callbacks& callbacks) {
  fuse_chan* ch = channel_of_descriptor(fd);
  if (!ch) return nullptr;
  fuse* f = make_fuse(ch, args, callbacks, nullptr);
  if (!f) destroy_channel(ch);
  return f;
}

fuse* make_on_descriptor(int fd, const char* opts, const Callbacks& callbacks) {
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  fuse* f = arguments_of(opts, args) ? make_on_descriptor(fd, args, callbacks) : nullptr;
  free_args(args);
  return f;
}

}  // namespace

fuse* make_fuse(fuse_chan* ch, fuse_args& args, const Callbacks& callbacks, void* user_data) {
  try {
    return make(ch, args, callbacks, user_data);
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

void destroy(fuse* f) {
  if (!f) return;
  end_fuse(*f->core);
  destroy_channel(f->session.chan);
  delete f;
}

// ---- life ----

ISTHMUS_FUNCTION_2(fuse*, fuse_new, fuse_chan* ch, fuse_args* args, const fuse_operations* op, size_t op_size,
                   void* user_data) {
  fuse_args none = FUSE_ARGS_INIT(0, nullptr);
  return make_fuse(ch, args ? *args : none, callbacks_of(op, op_size), user_data);
}
ISTHMUS_FUNCTION_2(fuse*, fuse_new_compat25, int fd, fuse_args* args, const fuse_operations_compat25* op,
                   size_t op_size) {
  return make_on_descriptor(fd, *args, callbacks_of(op, op_size));
}
ISTHMUS_OLD_VERSION(fuse_new, fuse_new_compat25, "FUSE_2.5")
ISTHMUS_FUNCTION_2(fuse*, fuse_new_compat22, int fd, const char* opts, const fuse_operations_compat22* op,
                   size_t op_size) {
  return make_on_descriptor(fd, opts, callbacks_of(op, op_size));
}
ISTHMUS_OLD_VERSION(fuse_new, fuse_new_compat22, "FUSE_2.2")
ISTHMUS_FUNCTION_2(fuse*, fuse_new_compat2, int fd, const char* opts, const fuse_operations_compat2* op) {
  return make_on_descriptor(fd, opts, callbacks_of(*op));
}
ISTHMUS_OLD_VERSION(fuse_new, fuse_new_compat2, "")
ISTHMUS_FUNCTION_2(fuse*, fuse_new_compat1, int fd, int flags, const fuse_operations_compat1* op) {
  return make_on_descriptor(fd, flags & FUSE_DEBUG_COMPAT1 ? "debug" : nullptr, callbacks_of(*op));
}
ISTHMUS_FUNCTION_2(void, fuse_destroy, fuse* f) { destroy(f); }

ISTHMUS_FUNCTION_2(fuse_session*, fuse_get_session, fuse* f) { return &f->session; }
ISTHMUS_FUNCTION_2(void, fuse_exit, fuse* f) { ask_to_exit(*f->session.core); }
ISTHMUS_FUNCTION_2(int, fuse_exited, fuse* f) { return f->session.core->exited; }
ISTHMUS_OLD_VERSION(__fuse_exited, fuse_exited, "")

// ---- loops ----

ISTHMUS_FUNCTION_2(int, fuse_loop, fuse* f) { return f ? loop_result(loop_cleaning(*f->core, 1)) : -1; }
ISTHMUS_FUNCTION_2(int, fuse_loop_mt, fuse* f) { return f ? loop_result(loop_cleaning(*f->core, kMaxThreads)) : -1; }

ISTHMUS_FUNCTION_2(int, fuse_start_cleanup_thread, fuse* f) { return f->core->start_cleaning(); }
ISTHMUS_FUNCTION_2(void, fuse_stop_cleanup_thread, fuse* f) { f->core->stop_cleaning(); }
ISTHMUS_FUNCTION_2(int, fuse_clean_cache, fuse* f) { return f->core->fs->paths().clean(); }

// ---- the rest ----

ISTHMUS_FUNCTION_2(int, fuse_invalidate, fuse*, const char*) { return -EINVAL; }
/// Declared for all versions (fuse_winfsp.h), with the name that the struct has in C.
ISTHMUS_FUNCTION_2_OLD(int, fuse_notify, fuse* f, const char* path, uint32_t action) {
  return f ? notify_path(*f->core, path, action) : -EINVAL;
}
ISTHMUS_FUNCTION_2(int, fuse_is_lib_option, const char* opt) { return is_session_option(opt) || is_fuse_option(opt); }
ISTHMUS_FUNCTION_2(int, fuse_version) { return FUSE_VERSION; }
/// Contexts are the library's.
ISTHMUS_FUNCTION_2(void, fuse_set_getcontext_func, fuse_context* (*)()) {}
ISTHMUS_OLD_VERSION(__fuse_set_getcontext_func, fuse_set_getcontext_func, "")
/// Without umask, which is at the end.
ISTHMUS_FUNCTION_2_OLD(const void*, fuse_get_context_compat22) { return &Caller::context(); }
ISTHMUS_OLD_VERSION(fuse_get_context, fuse_get_context_compat22, "FUSE_2.2")

}  // namespace isthmus::libfuse::v2
