/// The options that fuse_new() knows besides fuse_lowlevel_new()'s.
#include <signal.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "libfuse/v2/fuse.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse::v2 {
namespace {

struct Given {
  ~Given() { free(modules); }
  ::fuse_config config{};
  char* modules = nullptr;
};

enum Key { kHelp = 1 };

#define OPTION(templ, member, value) \
  { templ, offsetof(Given, config) + offsetof(::fuse_config, member), value }
const fuse_opt kTable[] = {
    FUSE_OPT_KEY("-h", kHelp),
    FUSE_OPT_KEY("--help", kHelp),
    FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
    OPTION("debug", debug, 1),
    OPTION("-d", debug, 1),
    OPTION("hard_remove", hard_remove, 1),
    OPTION("use_ino", use_ino, 1),
    OPTION("readdir_ino", readdir_ino, 1),
    OPTION("direct_io", direct_io, 1),
    OPTION("kernel_cache", kernel_cache, 1),
    OPTION("auto_cache", auto_cache, 1),
    OPTION("noauto_cache", auto_cache, 0),
    OPTION("umask=", set_mode, 1),
    OPTION("umask=%o", umask, 0),
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
    OPTION("nopath", nullpath_ok, 1),
    OPTION("intr", intr, 1),
    OPTION("intr_signal=%d", intr_signal, 0),
    {"modules=%s", offsetof(Given, modules), 0},
    FUSE_OPT_END,
};
#undef OPTION

int take(void*, const char*, int key, fuse_args*) {
  if (key != kHelp) return 1;
  fprintf(stderr,
          "    -o hard_remove         open files are removed, not hidden\n"
          "    -o use_ino             inode numbers are the file system's\n"
          "    -o readdir_ino         those of listings, where they are known\n"
          "    -o direct_io           no page cache\n"
          "    -o kernel_cache        cached data stays valid when a file is opened\n"
          "    -o [no]auto_cache      it stays so until time or size of the file change (off)\n"
          "    -o umask=M             permissions of all files, less these (octal)\n"
          "    -o uid=N               owner of all files\n"
          "    -o gid=N               group of all files\n"
          "    -o entry_timeout=T     seconds that names are believed (1.0)\n"
          "    -o negative_timeout=T  seconds that the absence of a name is believed (0.0)\n"
          "    -o attr_timeout=T      seconds that attributes are believed (1.0)\n"
          "    -o ac_attr_timeout=T   the same for auto_cache (attr_timeout)\n"
          "    -o noforget            files are never forgotten\n"
          "    -o remember=T          files are remembered for T seconds more (0)\n"
          "    -o nopath              callbacks with a file handle need no path\n"
          "    -o intr                callbacks are interrupted\n"
          "    -o intr_signal=NUM     by this signal (%i)\n"
          "    -o modules=M1[:M2...]  file systems over this one: subdir, iconv, or libfusemod_M.so\n\n",
          SIGUSR1);
  print_module_help("subdir:iconv", find_module);
  return 1;
}

}  // namespace

bool parse_fuse_options(fuse_args& args, ::fuse_config& config, std::string& modules) {
  Given g;
  g.config.entry_timeout = g.config.attr_timeout = 1;
  g.config.intr_signal = SIGUSR1;
  if (args.argv && args.argc > 0) {
    OptParser parser(args, &g, kTable, take);
    if (parser.run() < 0) return false;
    parser.swap_args(args);
  }
  if (g.modules) modules = g.modules;
  if (!g.config.ac_attr_timeout_set) g.config.ac_attr_timeout = g.config.attr_timeout;
  config = g.config;
  return true;
}

bool is_fuse_option(const char* option) {
  size_t sep = 0;
  return find_row(kTable, option, sep);
}

}  // namespace isthmus::libfuse::v2
