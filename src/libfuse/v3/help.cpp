/// Help and versions.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "doors/fuse/mount.h"
#include "libfuse/common/exports.h"
#include "wire/fuse/flags.h"

#include <isthmus/fuse3/fuse_lowlevel.h>

ISTHMUS_EXPORT int fuse_version() { return FUSE_VERSION; }
ISTHMUS_EXPORT const char* fuse_pkgversion() { return ISTHMUS_FUSE3_SO >= 4 ? "3.19.0" : "3.14.0"; }

ISTHMUS_EXPORT void fuse_cmdline_help() {
  printf(
      "    -h   --help            this text\n"
      "    -V   --version         versions\n"
      "    -d   -o debug          log what happens, stay in the foreground\n"
      "    -f                     stay in the foreground\n"
      "    -s                     one thread\n"
      "    -o clone_fd            a device descriptor for each thread\n"
      "    -o max_idle_threads=N  more idle threads end (default: never)\n"
      "    -o max_threads=N       no more threads than these (default: 10)\n");
}

ISTHMUS_EXPORT void fuse_lowlevel_help() {
  printf(
      "    -o allow_other         other users may use the mount\n"
      "    -o allow_root          root may use the mount\n"
      "    -o auto_unmount        unmount when the program ends, however it ends\n"
      "    -o default_permissions the kernel checks permissions\n"
      "    -o fsname=NAME         the device in mount tables\n"
      "    -o subtype=NAME        the type in mount tables\n"
      "    -o max_read=N          bytes of one read at most\n"
      "    -o ro                  read only; and other options of mount(8)\n");
}

ISTHMUS_EXPORT void fuse_lowlevel_version() {
  printf("using FUSE kernel interface version %u.%u\n", isthmus::wire::fuse::kMajor, isthmus::wire::fuse::kMinor);
  fflush(stdout);
  std::string helper = isthmus::fuse::find_helper();
  if (helper.empty()) return;
  std::string argument = "--version";
  char* argv[] = {helper.data(), argument.data(), nullptr};
  pid_t pid = 0;
  if (posix_spawn(&pid, helper.c_str(), nullptr, nullptr, argv, environ) == 0) waitpid(pid, nullptr, 0);
}
