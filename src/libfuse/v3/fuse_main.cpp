/// fuse_main_real.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "libfuse/common/exports.h"
#include "libfuse/common/fuse.h"
#include "libfuse/v3/loop_config.h"

namespace {

/// What main() is to return (fuse.h).
enum Outcome { kGood, kBadArguments, kNoMountpoint, kNotMade, kNotMounted, kNotInBackground, kNoSignals, kLoop = 8 };

struct Freed {
  ~Freed() {
    free(options.mountpoint);
    fuse_opt_free_args(&args);
  }
  fuse_args args;
  fuse_cmdline_opts options{};
};

struct Destroyed {
  void operator()(struct fuse* f) const { fuse_destroy(f); }
};

int serve(struct fuse* f, const fuse_cmdline_opts& o) {
  if (fuse_daemonize(o.foreground) != 0) return kNotInBackground;
  fuse_session* se = fuse_get_session(f);
  if (fuse_set_signal_handlers(se) != 0) return kNoSignals;
  fuse_loop_config config;
  fuse_loop_cfg_set_clone_fd(&config, static_cast<unsigned>(o.clone_fd));
  fuse_loop_cfg_set_max_threads(&config, o.max_threads);
  fuse_loop_cfg_set_idle_threads(&config, o.max_idle_threads);
  int result = o.singlethread ? fuse_loop(f) : fuse_loop_mt(f, &config);
  fuse_remove_signal_handlers(se);
  return result ? kLoop : kGood;
}

}  // namespace

#if ISTHMUS_FUSE3_SO >= 4
ISTHMUS_EXPORT int fuse_main_real(int argc, char* argv[], const fuse_operations* op, size_t op_size, void* data);
#endif

ISTHMUS_EXPORT int fuse_main_real(int argc, char* argv[], const fuse_operations* op, size_t op_size,
                                  void* private_data) {
  Freed given{FUSE_ARGS_INIT(argc, argv)};
  const fuse_cmdline_opts& o = given.options;
  if (fuse_parse_cmdline(&given.args, &given.options) != 0) return kBadArguments;
  if (o.show_version) {
    printf("FUSE library version %s\n", fuse_pkgversion());
    fuse_lowlevel_version();
    return kGood;
  }
  if (o.show_help) {
    if (given.args.argv[0][0] != '\0') printf("usage: %s [options] <mountpoint>\n\n", given.args.argv[0]);
    printf("FUSE options:\n");
    fuse_cmdline_help();
    fuse_lib_help(&given.args);
    return kGood;
  }
  if (!o.mountpoint) {
    fuse_log(FUSE_LOG_ERR, "error: no mountpoint specified\n");
    return kNoMountpoint;
  }
  std::unique_ptr<struct fuse, Destroyed> f(fuse_new(&given.args, op, op_size, private_data));
  if (!f) return kNotMade;
  if (fuse_mount(f.get(), o.mountpoint) != 0) return kNotMounted;
  int result = serve(f.get(), o);
  fuse_unmount(f.get());
  return result;
}

#if ISTHMUS_FUSE3_SO >= 4
ISTHMUS_EXPORT int fuse_main_real_versioned(int argc, char* argv[], const fuse_operations* op, size_t op_size,
                                            libfuse_version*, void* private_data) {
  return fuse_main_real(argc, argv, op, op_size, private_data);
}
#endif
