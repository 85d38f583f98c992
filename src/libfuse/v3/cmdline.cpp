/// fuse_parse_cmdline.
#include <limits.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/text.h"
#include "libfuse/common/exports.h"
#include "libfuse/v3/cmdline.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/opt_parser.h"

#include <isthmus/fuse3/fuse_lowlevel.h>

using namespace isthmus::libfuse;

namespace {

#define OPTION(templ, member) \
  { templ, offsetof(fuse_cmdline_opts, member), 1 }
const fuse_opt kTable[] = {
    OPTION("-h", show_help),
    OPTION("--help", show_help),
    OPTION("-V", show_version),
    OPTION("--version", show_version),
    OPTION("-d", debug),
    OPTION("debug", debug),
    OPTION("-d", foreground),
    OPTION("debug", foreground),
    FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
    OPTION("-f", foreground),
    OPTION("-s", singlethread),
    OPTION("fsname=", nodefault_subtype),
    FUSE_OPT_KEY("fsname=", FUSE_OPT_KEY_KEEP),
    OPTION("subtype=", nodefault_subtype),
    FUSE_OPT_KEY("subtype=", FUSE_OPT_KEY_KEEP),
    OPTION("clone_fd", clone_fd),
    OPTION("max_idle_threads=%u", max_idle_threads),
    OPTION("max_threads=%u", max_threads),
    FUSE_OPT_END,
};
#undef OPTION

bool is_given_device(const char* path) {
  constexpr std::string_view kFolder = "/dev/fd/";
  const std::string_view all = path;
  return all.starts_with(kFolder) && isthmus::parse_number(all.substr(kFolder.size()), UINT_MAX);
}

int too_many(const char* arg) {
  message(FUSE_LOG_ERR, "fuse: invalid argument `%s'\n", arg);
  return -1;
}

int take_path(fuse_cmdline_opts& o, const char* arg) {
  char path[PATH_MAX];
  if (realpath(arg, path)) return add_opt(o.mountpoint, path, false);
  message(FUSE_LOG_ERR, "fuse: bad mount point `%s': %s\n", arg, strerror(errno));
  return -1;
}

int take(void* data, const char* arg, int key, fuse_args*) {
  auto& o = *static_cast<fuse_cmdline_opts*>(data);
  if (key != FUSE_OPT_KEY_NONOPT) return 1;
  if (o.mountpoint) return too_many(arg);
  if (is_given_device(arg)) return add_opt(o.mountpoint, arg, false);
  return take_path(o, arg);
}

int take_anything(void* data, const char* arg, int key, fuse_args*) {
  auto& o = *static_cast<fuse_cmdline_opts*>(data);
  if (key != FUSE_OPT_KEY_NONOPT) return 1;
  return o.mountpoint ? too_many(arg) : add_opt(o.mountpoint, arg, false);
}

}  // namespace

int isthmus::libfuse::parse_cmdline(fuse_args& args, fuse_cmdline_opts& o, bool there) {
  o = {};
  o.max_idle_threads = UINT_MAX;
  o.max_threads = 10;
  if (args.argv && args.argc) {
    OptParser parser(args, &o, kTable, there ? take : take_anything);
    if (parser.run() < 0) return -1;
    parser.swap_args(args);
  }
  if (o.nodefault_subtype || !args.argv || !args.argv[0]) return 0;
  const char* program = args.argv[0];
  if (const char* slash = strrchr(program, '/'); slash && slash[1]) program = slash + 1;
  return add_arg(args, ("-osubtype=" + std::string(program)).c_str());
}

ISTHMUS_EXPORT int fuse_parse_cmdline(fuse_args* args, fuse_cmdline_opts* opts) {
  return parse_cmdline(*args, *opts, true);
}
ISTHMUS_EXPORT int fuse_parse_cmdline_312(fuse_args* args, fuse_cmdline_opts* opts) {
  return parse_cmdline(*args, *opts, true);
}

/// Before 3.12 the struct ended before max_threads.
ISTHMUS_EXPORT int fuse_parse_cmdline_30(fuse_args* args, fuse_cmdline_opts* opts) {
  fuse_cmdline_opts o;
  int result = parse_cmdline(*args, o, true);
  memcpy(opts, &o, offsetof(fuse_cmdline_opts, max_threads));
  return result;
}
ISTHMUS_OLD_VERSION(fuse_parse_cmdline, fuse_parse_cmdline_v30, "FUSE_3.0")
ISTHMUS_EXPORT int fuse_parse_cmdline_v30(fuse_args* args, fuse_cmdline_opts* opts) {
  return fuse_parse_cmdline_30(args, opts);
}
