/// fuse_new, fuse_destroy, and what works on a struct fuse.
#include "libfuse/common/fuse.h"

#include <cstdio>

#include "libfuse/common/exports.h"
#include "libfuse/common/loops.h"
#include "libfuse/common/mount.h"
#include "libfuse/v3/loop_config.h"
#include "libfuse/v3/module_library.h"
#include "providers/libfuse/common/args.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT fuse_fs* fuse_fs_new(const fuse_operations* op, size_t op_size, void* private_data) {
  try {
    return new fuse_fs(whole_table(op, op_size), private_data);
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

namespace {

struct fuse* make(fuse_args* args, const fuse_operations* op, size_t op_size, void* private_data) {
  if (!has_arguments(args)) return nullptr;
  try {
    fuse_config config;
    std::string modules;
    if (!parse_fuse_options(*args, config, modules)) return nullptr;
    auto top = std::make_unique<fuse_fs>(whole_table(op, op_size), private_data);
    top = with_modules(std::move(top), modules, *args, find_module);
    if (!top) return nullptr;
    auto session = [&](std::unique_ptr<Program> program) { return make_session(*args, std::move(program)); };
    return make_fuse(std::move(top), config, session).release();
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

/// Version 3.0 had help of its own.
struct fuse* make_30(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  for (int i = 1; i < args->argc; i++) {
    std::string_view argument = args->argv[i];
    if (argument != "-h" && argument != "--help") continue;
    printf("FUSE options:\n");
    fuse_lib_help(args);
    return nullptr;
  }
  return make(args, op, op_size, data);
}

}  // namespace

#if ISTHMUS_FUSE3_SO >= 4
ISTHMUS_EXPORT struct fuse* _fuse_new_31(fuse_args* args, const fuse_operations* op, size_t op_size, libfuse_version*,
                                         void* data) {
  return make(args, op, op_size, data);
}
ISTHMUS_EXPORT struct fuse* _fuse_new_30(fuse_args* args, const fuse_operations* op, size_t op_size, libfuse_version*,
                                         void* data) {
  return make_30(args, op, op_size, data);
}
ISTHMUS_OLD_VERSION(fuse_new, fuse_new_v31, "FUSE_3.1")
ISTHMUS_EXPORT struct fuse* fuse_new_v31(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return make(args, op, op_size, data);
}
#else
ISTHMUS_EXPORT struct fuse* fuse_new(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return make(args, op, op_size, data);
}
#endif
ISTHMUS_EXPORT struct fuse* fuse_new_31(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return make(args, op, op_size, data);
}
ISTHMUS_EXPORT struct fuse* fuse_new_30(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return make_30(args, op, op_size, data);
}
ISTHMUS_OLD_VERSION(fuse_new, fuse_new_v30, "FUSE_3.0")
ISTHMUS_EXPORT struct fuse* fuse_new_v30(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return make_30(args, op, op_size, data);
}

ISTHMUS_EXPORT void fuse_destroy(struct fuse* f) {
  if (!f) return;
  end_fuse(*f);
  delete f;
}

ISTHMUS_EXPORT int fuse_mount(struct fuse* f, const char* mountpoint) { return mount_session(*f->se, mountpoint); }
ISTHMUS_EXPORT void fuse_unmount(struct fuse* f) { unmount_session(*f->se); }
ISTHMUS_EXPORT fuse_session* fuse_get_session(struct fuse* f) { return f->se.get(); }
ISTHMUS_EXPORT void fuse_exit(struct fuse* f) { ask_to_exit(*f->se); }

// ---- loops ----

ISTHMUS_EXPORT int fuse_start_cleanup_thread(struct fuse* f) { return f->start_cleaning(); }
ISTHMUS_EXPORT void fuse_stop_cleanup_thread(struct fuse* f) { f->stop_cleaning(); }
ISTHMUS_EXPORT int fuse_clean_cache(struct fuse* f) { return f->fs->paths().clean(); }

ISTHMUS_EXPORT int fuse_loop(struct fuse* f) { return f ? loop_cleaning(*f, 1) : -1; }
ISTHMUS_EXPORT int fuse_loop_mt(struct fuse* f, fuse_loop_config* config) {
  if (!f) return -1;
  if (config && config->version != fuse_loop_config::kVersion) return -EINVAL;
  const fuse_loop_config c = config ? *config : fuse_loop_config{};
  f->se->clone_fd = c.clone_fd != 0;
  return loop_cleaning(*f, c.max_threads);
}
ISTHMUS_EXPORT int fuse_loop_mt_312(struct fuse* f, fuse_loop_config* config) { return fuse_loop_mt(f, config); }
ISTHMUS_EXPORT int fuse_loop_mt_32(struct fuse* f, fuse_loop_config_v1* config) {
  fuse_loop_config c;
  if (config) fuse_loop_cfg_convert(&c, config);
  return fuse_loop_mt(f, &c);
}
ISTHMUS_EXPORT int fuse_loop_mt_31(struct fuse* f, int clone_fd) {
  fuse_loop_config c;
  c.clone_fd = clone_fd;
  return fuse_loop_mt(f, &c);
}
ISTHMUS_OLD_VERSION(fuse_loop_mt, fuse_loop_mt_v32, "FUSE_3.2")
ISTHMUS_EXPORT int fuse_loop_mt_v32(struct fuse* f, fuse_loop_config_v1* config) { return fuse_loop_mt_32(f, config); }
ISTHMUS_OLD_VERSION(fuse_loop_mt, fuse_loop_mt_v30, "FUSE_3.0")
ISTHMUS_EXPORT int fuse_loop_mt_v30(struct fuse* f, int clone_fd) { return fuse_loop_mt_31(f, clone_fd); }

ISTHMUS_EXPORT int fuse_notify(struct fuse* f, const char* path, uint32_t action) {
  return f ? notify_path(*f, path, action) : -EINVAL;
}
ISTHMUS_EXPORT int fuse_invalidate_path(struct fuse* f, const char* path) { return invalidate_path(*f, path); }
