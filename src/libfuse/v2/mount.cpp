/// fuse_mount, fuse_unmount.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "libfuse/common/given_options.h"
#include "libfuse/v2/exports.h"
#include "libfuse/v2/session.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/no_throw.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse::v2 {
namespace {

using Given = GivenOptions;

enum Key { kHelp = 1, kVersion, kAllowRoot };

#define OPTION(templ, member, value) \
  { templ, offsetof(Given, member), value }
const fuse_opt kTable[] = {
    OPTION("allow_other", allow_other, 1),
    OPTION("allow_root", allow_root, 1),
    FUSE_OPT_KEY("allow_root", kAllowRoot),
    OPTION("nonempty", nonempty, 1),
    OPTION("blkdev", blkdev, 1),
    OPTION("auto_unmount", auto_unmount, 1),
    OPTION("fsname=%s", fsname, 0),
    OPTION("subtype=%s", subtype, 0),
    OPTION("context=%s", context, 0),
    OPTION("fscontext=%s", fscontext, 0),
    OPTION("defcontext=%s", defcontext, 0),
    OPTION("rootcontext=%s", rootcontext, 0),
    OPTION("default_permissions", default_permissions, 1),
    OPTION("max_read=%u", max_read, 0),
    OPTION("blksize=%u", block_size, 0),
    // Kernels of today read as much as they want, and there is no /etc/mtab.
    OPTION("large_read", accepted, 1),
    FUSE_OPT_KEY("user=", FUSE_OPT_KEY_DISCARD),
    FUSE_OPT_KEY("-n", FUSE_OPT_KEY_DISCARD),
    OPTION("-r", read_only, 1),
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
    OPTION("norelatime", accepted, 1),
    OPTION("relatime", accepted, 1),
    OPTION("strictatime", strictatime, 1),
    OPTION("nostrictatime", strictatime, 0),
    FUSE_OPT_KEY("-h", kHelp),
    FUSE_OPT_KEY("--help", kHelp),
    FUSE_OPT_KEY("-V", kVersion),
    FUSE_OPT_KEY("--version", kVersion),
    FUSE_OPT_END,
};
#undef OPTION

int take(void* data, const char*, int key, fuse_args* kept) {
  auto& g = *static_cast<Given*>(data);
  switch (key) {
    case kAllowRoot:  // the session looks who asks
      return add_arg(*kept, "-oallow_root");
    case kHelp:
      fprintf(stderr,
              "    -o allow_other         other users may use the mount\n"
              "    -o allow_root          root may use the mount\n"
              "    -o auto_unmount        unmount when the program ends, however it ends\n"
              "    -o nonempty            the mountpoint need not be empty\n"
              "    -o default_permissions the kernel checks permissions\n"
              "    -o fsname=NAME         the device in mount tables\n"
              "    -o subtype=NAME        the type in mount tables\n"
              "    -o max_read=N          bytes of one read at most\n"
              "    -o ro                  read only; and other options of mount(8)\n\n");
      g.help = 1;
      return 1;
    case kVersion:
      g.help = 1;
      return 1;
    default:
      return 1;
  }
}

bool parse(fuse_args& args, Given& g) {
  if (!args.argv || args.argc == 0) return true;
  OptParser parser(args, &g, kTable, take);
  if (parser.run() < 0) return false;
  parser.swap_args(args);
  if (!g.allow_root || !g.allow_other) return true;
  message(FUSE_LOG_ERR, "fuse: 'allow_other' and 'allow_root' options are mutually exclusive\n");
  return false;
}

/// What is mounted over cannot be seen any more: users have to say that they know. What is not there is told later.
bool is_empty(const char* mountpoint) {
  struct stat st {};
  if (stat(mountpoint, &st) < 0) return true;
  bool empty = st.st_size == 0;
  if (S_ISDIR(st.st_mode)) {
    std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(mountpoint), closedir);
    if (!dir) return true;
    empty = true;
    while (dirent* e = readdir(dir.get()))
      if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) empty = false;
  }
  if (empty) return true;
  message(FUSE_LOG_ERR,
          "fuse: mountpoint is not empty\n"
          "fuse: if you are sure this is safe, use the 'nonempty' mount option\n");
  return false;
}

// Before 2.6 programs hold the bare descriptor: what belongs to it is found here by the functions that get it.
std::mutex g_m;  // a leaf
std::map<int, fuse_chan*> g_by_fd;

int mount_for_descriptor(const char* mountpoint, fuse_args& args) {
  return no_throw(-1, [&] {
    fuse_chan* ch = mount(mountpoint, args);
    if (!ch) return -1;
    std::lock_guard lock(g_m);
    g_by_fd[ch->fd] = ch;
    return ch->fd;
  });
}

}  // namespace

fuse_chan* mount(const char* mountpoint, fuse_args& args) {
  Given g;
  if (!parse(args, g)) return nullptr;
  auto ch = std::make_unique<fuse_chan>();
  ch->bufsize = kChanBufsize;
  if (g.help) return ch.release();  // what comes next prints its own help, and fails
  if (!mountpoint) {
    message(FUSE_LOG_ERR, "fuse: missing mountpoint parameter\n");
    return nullptr;
  }
  if (!g.nonempty && !is_empty(mountpoint)) return nullptr;
  put(g, ch->options);
  ch->mount = mount_at(mountpoint, ch->options);
  if (!ch->mount) return nullptr;
  ch->fd = ch->mount->mounted.device.get();
  return ch.release();
}

fuse_chan* channel_of_descriptor(int fd) {
  {
    std::lock_guard lock(g_m);
    if (auto it = g_by_fd.find(fd); it != g_by_fd.end()) {
      fuse_chan* ch = it->second;
      g_by_fd.erase(it);
      return ch;
    }
  }
  return device_channel(fd);
}

ISTHMUS_FUNCTION_2(fuse_chan*, fuse_mount, const char* mountpoint, fuse_args* args) {
  return no_throw<fuse_chan*>(nullptr, [&] { return mount(mountpoint, *args); });
}
ISTHMUS_FUNCTION_2(void, fuse_unmount, const char* mountpoint, fuse_chan* ch) { unmount(mountpoint, ch); }

ISTHMUS_FUNCTION_2(int, fuse_mount_compat25, const char* mountpoint, fuse_args* args) {
  return mount_for_descriptor(mountpoint, *args);
}
ISTHMUS_OLD_VERSION(fuse_mount, fuse_mount_compat25, "FUSE_2.5")

ISTHMUS_FUNCTION_2(int, fuse_mount_compat22, const char* mountpoint, const char* opts) {
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  int fd = arguments_of(opts, args) ? mount_for_descriptor(mountpoint, args) : -1;
  free_args(args);
  return fd;
}
ISTHMUS_OLD_VERSION(fuse_mount, fuse_mount_compat22, "FUSE_2.2")

/// Its arguments are those of a helper of that time, which nobody has any more.
ISTHMUS_FUNCTION_2(int, fuse_mount_compat1, const char* mountpoint, const char**) {
  return c_fuse_mount_compat22(mountpoint, nullptr);
}

ISTHMUS_FUNCTION_2(void, fuse_unmount_compat22, const char* mountpoint) { unmount(mountpoint, nullptr); }
ISTHMUS_OLD_VERSION(fuse_unmount, fuse_unmount_compat22, "FUSE_2.2")

}  // namespace isthmus::libfuse::v2
