/// The options that fuse_session_new() knows: libfuse's own, and those for the kernel and mount(2).
#include <cstddef>

#include "libfuse/common/given_options.h"
#include "libfuse/common/session.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse {
namespace {

using Given = GivenOptions;

#define OPTION(templ, member, value) \
  { templ, offsetof(Given, member), value }
// Two tables, taken one after the other, as programs' odd lists know them: what is empty in a list gets lost when the
// first leaves something of another.
const fuse_opt kSession[] = {
    OPTION("-d", debug, 1),
    OPTION("--debug", debug, 1),
    OPTION("debug", debug, 1),
    FUSE_OPT_END,
};
const fuse_opt kMount[] = {
    OPTION("allow_root", allow_root, 1),
    OPTION("allow_other", allow_other, 1),
    OPTION("default_permissions", default_permissions, 1),
    OPTION("auto_unmount", auto_unmount, 1),
    OPTION("blkdev", blkdev, 1),
    OPTION("max_read=%u", max_read, 0),
    OPTION("fsname=%s", fsname, 0),
    OPTION("subtype=%s", subtype, 0),
    OPTION("context=%s", context, 0),
    OPTION("fscontext=%s", fscontext, 0),
    OPTION("defcontext=%s", defcontext, 0),
    OPTION("rootcontext=%s", rootcontext, 0),
    OPTION("ro", read_only, 1),
    OPTION("rw", read_only, 0),
    OPTION("suid", suid, 1),
    OPTION("nosuid", suid, 0),
    OPTION("dev", dev, 1),
    OPTION("nodev", dev, 0),
    OPTION("noexec", noexec, 1),
    OPTION("exec", noexec, 0),
    OPTION("sync", sync, 1),
    OPTION("async", sync, 0),
    OPTION("dirsync", dirsync, 1),
    OPTION("noatime", noatime, 1),
    OPTION("atime", noatime, 0),
    OPTION("nodiratime", nodiratime, 1),
    OPTION("diratime", nodiratime, 0),
    // relatime is what the kernel does unless told otherwise.
    OPTION("relatime", accepted, 1),
    OPTION("norelatime", accepted, 1),
    OPTION("strictatime", strictatime, 1),
    OPTION("nostrictatime", strictatime, 0),
    OPTION("-r", read_only, 1),
    // From mount(8): whose mount it is, and no /etc/mtab.
    FUSE_OPT_KEY("user=", FUSE_OPT_KEY_DISCARD),
    FUSE_OPT_KEY("-n", FUSE_OPT_KEY_DISCARD),
    OPTION("blksize=%u", block_size, 0),
#if ISTHMUS_FUSE3_SO >= 4
    OPTION("symfollow", nosymfollow, 0),
    OPTION("nosymfollow", nosymfollow, 1),
    // Requests come by the device all the same.
    OPTION("io_uring", accepted, 1),
    OPTION("io_uring_q_depth=", accepted, 1),
#endif
    FUSE_OPT_END,
};
#undef OPTION

}  // namespace

bool has_arguments(const fuse_args* args) {
  if (args && args->argv && args->argc > 0) return true;
  message(FUSE_LOG_ERR, "fuse: a session was given no arguments, not even a program's name\n");
  return false;
}

bool nothing_left(const fuse_args& args) {
  if (args.argc == 1) {
    if (args.argv[0][0] == '-')
      message(FUSE_LOG_ERR, "fuse: warning: argv[0] looks like an option, but will be ignored\n");
    return true;
  }
  std::string list;
  for (int i = 1; i < args.argc; i++) list += (i > 1 ? " " : "") + std::string(args.argv[i]);
  message(FUSE_LOG_ERR, "fuse: unknown option(s): `%s'\n", list.c_str());
  return false;
}

bool parse_session_options(fuse_args& args, fuse_session& se) {
  Given g;
  for (const fuse_opt* table : {kSession, kMount}) {
    OptParser parser(args, &g, table, nullptr);
    if (parser.run() < 0) return false;
    parser.swap_args(args);
  }
  se.debug = g.debug;
  put(g, se.options);
  return true;
}

}  // namespace isthmus::libfuse
