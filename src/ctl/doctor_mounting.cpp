#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/fd.h"
#include "ctl/doctor_checks.h"
#include "ctl/libraries.h"
#include "doors/fuse/mount.h"
#include "providers/fuse_daemon/daemon.h"

namespace isthmus::ctl {
namespace {

Finding module_check() {
  Finding f{.id = "fuse_module",
            .title = "the kernel has FUSE",
            .needed_for = "every mount",
            .fix = "modprobe fuse (as root)"};
  f.essential = true;
  std::ifstream types("/proc/filesystems");
  f.answer = Answer::no;
  for (std::string line; std::getline(types, line);)
    if (line.ends_with("\tfuse")) f.answer = Answer::yes;
  return f;
}

Finding device_check() {
  Finding f{.id = "dev_fuse", .title = "/dev/fuse can be opened", .needed_for = "every mount"};
  Fd fd(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (fd) {
    f.answer = Answer::yes;
    return f;
  }
  int error = errno;
  f.answer = Answer::no;
  f.detail = text_of(err(error));
  f.essential = true;
  if (error == EACCES) {
    // fusermount3 opens it with the rights of the user who calls it, although it is setuid root.
    f.fix = "chmod 666 /dev/fuse (as root)";
  } else {
    f.fix = "modprobe fuse (as root); in a container: start it with --device /dev/fuse";
  }
  return f;
}

Finding helper_check(bool root) {
  Finding f{.id = "fusermount3",
            .title = "fusermount3 is installed and setuid root",
            .needed_for = "mounts by ordinary users"};
  std::string helper = fuse::find_helper();
  struct stat st {};
  f.essential = !root;
  if (helper.empty() || stat(helper.c_str(), &st) < 0) {
    f.answer = Answer::no;
    f.fix = "apt-get install fuse3 (as root)";
    return f;
  }
  f.detail = helper;
  bool set = (st.st_mode & S_ISUID) && st.st_uid == 0;
  f.answer = set ? Answer::yes : Answer::no;
  if (!set) f.fix = "chown root " + helper + " && chmod 4755 " + helper + " (as root)";
  return f;
}

Finding privilege_check() {
  Finding f{.id = "may_mount", .title = "this process may mount by itself"};
  bool may = fuse::may_mount();
  f.answer = may ? Answer::yes : Answer::info;
  f.detail = may ? "" : "an ordinary user mounts through fusermount3";
  return f;
}

Finding allow_other_check(bool root) {
  Finding f{.id = "user_allow_other",
            .title = "/etc/fuse.conf has user_allow_other",
            .needed_for = "allow_other and allow_root of ordinary users",
            .fix = "echo user_allow_other >> /etc/fuse.conf (as root)"};
  std::ifstream conf("/etc/fuse.conf");
  f.answer = Answer::no;
  for (std::string line; std::getline(conf, line);)
    if (line.substr(0, line.find_last_not_of(" \t") + 1) == "user_allow_other") f.answer = Answer::yes;
  if (root && f.answer == Answer::no) f.detail = "root does not need it";
  return f;
}

/// What `isthmus host` does by itself where this is a no.
Finding hosting_check() {
  Finding f{.id = "host_seccomp", .title = "system calls of FUSE daemons can be held up", .answer = Answer::info};
  const auto works = fuse_daemon::seccomp_works();
  const bool preloads = static_cast<bool>(our_preload_library());
  f.detail = works ? "isthmus host --in seccomp: any daemon, without /dev/fuse"
                   : works.problem().what + "; isthmus host takes " + (preloads ? "preload" : "fusermount");
  return f;
}

}  // namespace

void check_mounting(std::vector<Finding>& to) {
  bool may = fuse::may_mount();
  to.push_back(module_check());
  to.push_back(device_check());
  to.push_back(privilege_check());
  to.push_back(helper_check(may));
  to.push_back(allow_other_check(may));
  to.push_back(hosting_check());
}

}  // namespace isthmus::ctl
