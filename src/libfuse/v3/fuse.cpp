/// fuse_new, fuse_destroy, and what works on a struct fuse.
#include "libfuse/v3/fuse.h"

#include <cstdio>
#include <system_error>

#include "libfuse/v3/exports.h"
#include "libfuse/v3/loop_config.h"
#include "providers/libfuse/common/args.h"
#include "run/threads.h"

using namespace isthmus::libfuse;

// ---- life ----

fuse::~fuse() { stop_cleaning(); }

ISTHMUS_EXPORT fuse_fs* fuse_fs_new(const fuse_operations* op, size_t op_size, void* private_data) {
  try {
    return new fuse_fs(whole_table(op, op_size), private_data);
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

ISTHMUS_EXPORT struct fuse* fuse_new(fuse_args* args, const fuse_operations* op, size_t op_size, void* private_data) {
  if (!has_arguments(args)) return nullptr;
  try {
    fuse_config config;
    std::string modules;
    if (!parse_fuse_options(*args, config, modules)) return nullptr;
    auto top = std::make_unique<fuse_fs>(whole_table(op, op_size), private_data);
    top = with_modules(std::move(top), modules, *args);
    if (!top) return nullptr;
    auto f = std::make_unique<struct fuse>();
    auto files = std::make_unique<HighLevelFs>(std::move(top), config);
    files->owner = f.get();
    f->fs = files.get();
    f->se = make_session(*args, std::move(files));
    return f->se ? f.release() : nullptr;
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}
ISTHMUS_EXPORT struct fuse* fuse_new_31(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return fuse_new(args, op, op_size, data);
}
/// Version 3.0 had help of its own.
ISTHMUS_EXPORT struct fuse* fuse_new_30(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  for (int i = 1; i < args->argc; i++) {
    std::string_view argument = args->argv[i];
    if (argument != "-h" && argument != "--help") continue;
    printf("FUSE options:\n");
    fuse_lib_help(args);
    return nullptr;
  }
  return fuse_new(args, op, op_size, data);
}
ISTHMUS_OLD_VERSION(fuse_new, fuse_new_v30, "FUSE_3.0")
ISTHMUS_EXPORT struct fuse* fuse_new_v30(fuse_args* args, const fuse_operations* op, size_t op_size, void* data) {
  return fuse_new_30(args, op, op_size, data);
}

ISTHMUS_EXPORT void fuse_destroy(struct fuse* f) {
  if (!f) return;
  f->stop_cleaning();
  if (f->se->initialised) f->fs->remove_hidden();
  // The program may still ask for its session in destroy().
  fuse_session_destroy(f->se.get());
  static_cast<void>(f->se.release());
  delete f;
}

ISTHMUS_EXPORT int fuse_mount(struct fuse* f, const char* mountpoint) {
  return fuse_session_mount(f->se.get(), mountpoint);
}
ISTHMUS_EXPORT void fuse_unmount(struct fuse* f) { fuse_session_unmount(f->se.get()); }
ISTHMUS_EXPORT fuse_session* fuse_get_session(struct fuse* f) { return f->se.get(); }
ISTHMUS_EXPORT void fuse_exit(struct fuse* f) { fuse_session_exit(f->se.get()); }

// ---- loops ----

int fuse::start_cleaning() {
  if (fs->config().remember <= 0 || cleaner_.joinable()) return 0;
  stop_ = false;
  try {
    isthmus::SignalsBlocked blocked;
    cleaner_ = std::thread([this] {
      std::unique_lock lock(m_);
      while (!stop_) {
        lock.unlock();
        int seconds = fs->paths().clean();
        lock.lock();
        stopped_.wait_for(lock, std::chrono::seconds(seconds), [this] { return stop_; });
      }
    });
  } catch (const std::system_error& e) {
    message(FUSE_LOG_ERR, "fuse: no thread can be started to drop what is remembered: %s\n", e.what());
    return -1;
  }
  return 0;
}

void fuse::stop_cleaning() {
  if (!cleaner_.joinable()) return;
  {
    std::lock_guard lock(m_);
    stop_ = true;
  }
  stopped_.notify_all();
  cleaner_.join();
}

ISTHMUS_EXPORT int fuse_start_cleanup_thread(struct fuse* f) { return f->start_cleaning(); }
ISTHMUS_EXPORT void fuse_stop_cleanup_thread(struct fuse* f) { f->stop_cleaning(); }
ISTHMUS_EXPORT int fuse_clean_cache(struct fuse* f) { return f->fs->paths().clean(); }

namespace {

template <class F>
int run_loop(struct fuse* f, F loop) {
  if (!f) return -1;
  if (f->start_cleaning() < 0) return -1;
  int result = loop(f->se.get());
  f->stop_cleaning();
  return result;
}

}  // namespace

ISTHMUS_EXPORT int fuse_loop(struct fuse* f) { return run_loop(f, fuse_session_loop); }
ISTHMUS_EXPORT int fuse_loop_mt(struct fuse* f, fuse_loop_config* config) {
  return run_loop(f, [&](fuse_session* se) { return fuse_session_loop_mt(se, config); });
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

// ---- for callbacks ----

ISTHMUS_EXPORT fuse_context* fuse_get_context() { return &Caller::context(); }
ISTHMUS_EXPORT int fuse_interrupted() { return Caller::interrupted(); }
ISTHMUS_EXPORT int fuse_getgroups(int size, gid_t list[]) { return groups_of(Caller::context().pid, size, list); }

ISTHMUS_EXPORT int fuse_notify_poll(fuse_pollhandle* ph) { return fuse_lowlevel_notify_poll(ph); }

ISTHMUS_EXPORT int fuse_invalidate_path(struct fuse* f, const char* path) {
  auto node = f->fs->paths().find(path);
  return node ? fuse_lowlevel_notify_inval_inode(f->se.get(), isthmus::raw(*node), 0, 0) : -node.code();
}
