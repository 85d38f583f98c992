/// The options that fuse_session_new() knows: libfuse's own, and those for the kernel and mount(2).
#include <cstddef>
#include <cstdlib>

#include "libfuse/v3/session.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse {
namespace {

struct Given {
  ~Given() {
    free(fsname);
    free(subtype);
  }
  int debug = 0, allow_root = 0, allow_other = 0, default_permissions = 0, auto_unmount = 0, blkdev = 0;
  unsigned max_read = 0;
  char *fsname = nullptr, *subtype = nullptr;
  int read_only = 0, suid = 0, dev = 0, noexec = 0, sync = 0, dirsync = 0, noatime = 0, nodiratime = 0, strictatime = 0,
      blksize = 0, accepted = 0;
};

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
    OPTION("blksize=", blksize, 1),
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
  if (g.allow_root && g.allow_other) {
    message(FUSE_LOG_ERR, "fuse: 'allow_other' and 'allow_root' options are mutually exclusive\n");
    return false;
  }
  if (g.blkdev || g.blksize) {
    message(FUSE_LOG_ERR, "fuse: option '%s' (a mount of type fuseblk) is not supported\n",
            g.blkdev ? "blkdev" : "blksize");
    return false;
  }
  se.debug = g.debug;
  fuse::MountOptions& o = se.options;
  o.allow_root = g.allow_root;
  o.allow_other = g.allow_other || g.allow_root;
  o.default_permissions = g.default_permissions != 0;
  o.auto_unmount = g.auto_unmount;
  o.max_read = g.max_read;
  if (g.fsname) o.fsname = g.fsname;
  if (g.subtype) o.subtype = g.subtype;
  o.read_only = g.read_only;
  o.suid = g.suid;
  o.dev = g.dev;
  o.noexec = g.noexec;
  o.sync = g.sync;
  o.dirsync = g.dirsync;
  o.noatime = g.noatime;
  o.nodiratime = g.nodiratime;
  o.strictatime = g.strictatime;
  return true;
}

}  // namespace isthmus::libfuse
