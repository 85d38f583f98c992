/// The options that fuse_new() knows besides fuse_session_new()'s.
#include <signal.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "libfuse/common/exports.h"
#include "libfuse/common/fuse.h"
#include "libfuse/v3/module_library.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse {
namespace {

#define OPTION(templ, member, value) \
  { templ, offsetof(fuse_config, member), value }
const fuse_opt kFuseTable[] = {
    FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
    OPTION("debug", debug, 1),
    OPTION("-d", debug, 1),
    OPTION("kernel_cache", kernel_cache, 1),
    OPTION("auto_cache", auto_cache, 1),
    OPTION("noauto_cache", auto_cache, 0),
    OPTION("no_rofd_flush", no_rofd_flush, 1),
    OPTION("umask=", set_mode, 1),
    OPTION("umask=%o", umask, 0),
#if ISTHMUS_FUSE3_SO >= 4
    OPTION("fmask=", set_mode, 1),
    OPTION("fmask=%o", fmask, 0),
    OPTION("dmask=", set_mode, 1),
    OPTION("dmask=%o", dmask, 0),
    OPTION("parallel_direct_write=%d", parallel_direct_writes, 0),
    OPTION("parallel_direct_writes=%d", parallel_direct_writes, 0),
#endif
    OPTION("uid=", set_uid, 1),
    OPTION("uid=%d", uid, 0),
    OPTION("gid=", set_gid, 1),
    OPTION("gid=%d", gid, 0),
    OPTION("entry_timeout=%lf", entry_timeout, 0),
    OPTION("attr_timeout=%lf", attr_timeout, 0),
    OPTION("ac_attr_timeout=%lf", ac_attr_timeout, 0),
    OPTION("ac_attr_timeout=", ac_attr_timeout_set, 1),
    OPTION("negative_timeout=%lf", negative_timeout, 0),
    OPTION("noforget", remember, -1),
    OPTION("remember=%u", remember, 0),
    OPTION("modules=%s", modules, 0),
    FUSE_OPT_END,
};
#undef OPTION

}  // namespace

bool parse_fuse_options(fuse_args& args, fuse_config& config, std::string& modules) {
  config = {};
  config.entry_timeout = config.attr_timeout = 1;
  config.intr_signal = SIGUSR1;
  OptParser parser(args, &config, kFuseTable, nullptr);
  int result = parser.run();
  if (config.modules) modules = config.modules;
  free(std::exchange(config.modules, nullptr));
  if (result < 0) return false;
  parser.swap_args(args);
  if (!config.ac_attr_timeout_set) config.ac_attr_timeout = config.attr_timeout;
  return true;
}

}  // namespace isthmus::libfuse

ISTHMUS_EXPORT void fuse_lib_help(fuse_args* args) {
  printf(
      "    -o kernel_cache        cached data stays valid when a file is opened\n"
      "    -o [no]auto_cache      it stays so until time or size of the file change (off)\n"
      "    -o no_rofd_flush       no flush when a file opened for reading is closed\n"
      "    -o umask=M             permissions of all files, less these (octal)\n"
#if ISTHMUS_FUSE3_SO >= 4
      "    -o fmask=M             the same for all but directories\n"
      "    -o dmask=M             the same for directories\n"
#endif
      "    -o uid=N               owner of all files\n"
      "    -o gid=N               group of all files\n"
      "    -o entry_timeout=T     seconds that names are believed (1.0)\n"
      "    -o negative_timeout=T  seconds that the absence of a name is believed (0.0)\n"
      "    -o attr_timeout=T      seconds that attributes are believed (1.0)\n"
      "    -o ac_attr_timeout=T   the same for auto_cache (attr_timeout)\n"
      "    -o noforget            files are never forgotten\n"
      "    -o remember=T          files are remembered for T seconds more (0)\n"
      "    -o modules=M1[:M2...]  file systems over this one: subdir, iconv, or libfusemod_M.so\n");
  fuse_lowlevel_help();
  isthmus::libfuse::print_module_help("subdir:iconv", isthmus::libfuse::find_module);
  fuse_config config{};
  std::string modules;
  if (args && isthmus::libfuse::parse_fuse_options(*args, config, modules))
    isthmus::libfuse::print_module_help(modules, isthmus::libfuse::find_module);
}
