#include <linux/capability.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/kernel_version.h"
#include "base/text.h"
#include "ctl/doctor_checks.h"
#include "doors/fuse/mount.h"
#include "doors/fuse/policy.h"

namespace isthmus::ctl {
namespace {

/// Linux and the FUSE protocol that came with it (include/uapi/linux/fuse.h of those releases).
std::string protocol_of(const KernelVersion& v) {
  struct Step {
    unsigned major, minor, protocol;
  };
  constexpr Step kSteps[] = {{6, 18, 45}, {6, 16, 44}, {6, 15, 43}, {6, 14, 42}, {6, 12, 41}, {6, 9, 40},
                             {6, 6, 39},  {6, 2, 38},  {6, 1, 37},  {5, 17, 36}, {5, 16, 35}, {5, 14, 34},
                             {5, 11, 33}, {5, 10, 32}, {5, 4, 31},  {5, 2, 30},  {5, 1, 29},  {4, 20, 28},
                             {4, 18, 27}, {4, 9, 26},  {4, 7, 25},  {4, 5, 24},  {3, 15, 23}};
  for (auto& s : kSteps)
    if (v.at_least(s.major, s.minor)) return "FUSE protocol 7." + std::to_string(s.protocol) + " or newer";
  return "FUSE protocol older than 7.23";
}

Finding uring_check(const KernelVersion& v) {
  Finding f{.id = "fuse_io_uring", .title = "FUSE over io_uring"};
  f.answer = Answer::info;
  bool known = !first_line("/sys/module/fuse/parameters/enable_uring").empty();
  if (!known)
    f.detail = v.at_least(6, 14) ? "switched off when the kernel was built; mounts use /dev/fuse"
                                 : "needs Linux 6.14; mounts use /dev/fuse";
  else if (fuse::kernel_has_rings())
    f.detail = "switched on: mounts use it, a request costs a seventh of what it can cost by /dev/fuse";
  else
    f.detail = "the kernel can, but it is switched off: mounts use /dev/fuse";
  if (known && !fuse::kernel_has_rings())
    f.fix =
        "echo Y > /sys/module/fuse/parameters/enable_uring (as root; for every boot: options fuse enable_uring=1 in "
        "/etc/modprobe.d/fuse.conf)";
  return f;
}

Finding passthrough_check(const KernelVersion& v) {
  Finding f{.id = "fuse_passthrough", .title = "FUSE passthrough (backing files)", .answer = Answer::info};
  f.detail = !v.at_least(6, 9)    ? "needs Linux 6.9"
             : !fuse::may_mount() ? "the kernel can, for root; switched on by -o passthrough"
                                  : "the kernel can; switched on by -o passthrough";
  return f;
}

Finding pages_check() {
  Finding f{.id = "max_pages_limit", .title = "largest FUSE request", .answer = Answer::info};
  auto pages = parse_number(first_line("/proc/sys/fs/fuse/max_pages_limit"), 65535);
  uint64_t n = pages.value_or(256);
  f.detail = std::to_string(n * 4) + " KiB";
  if (pages && n < 1024) f.fix = "sysctl fs.fuse.max_pages_limit=1024 (as root)";
  return f;
}

Finding namespaces_check() {
  Finding f{.id = "user_namespaces",
            .title = "ordinary users can make user namespaces",
            .needed_for = "private mounts without fusermount3 (unshare -Urm)"};
  auto most = parse_number(first_line("/proc/sys/user/max_user_namespaces"));
  std::string debian = first_line("/proc/sys/kernel/unprivileged_userns_clone");
  bool off = !most || *most == 0 || debian == "0";
  f.answer = off ? Answer::no : Answer::yes;
  if (debian == "0")
    f.fix = "sysctl kernel.unprivileged_userns_clone=1 (as root)";
  else if (off)
    f.fix = "sysctl user.max_user_namespaces=10000 (as root)";
  return f;
}

Finding control_check() {
  Finding f{.id = "fusectl",
            .title = "/sys/fs/fuse/connections is there",
            .needed_for = "unmount --force of a mount whose server hangs",
            .fix = "mount -t fusectl fusectl /sys/fs/fuse/connections (as root)"};
  f.answer = Answer::no;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(" fusectl ") != std::string::npos) f.answer = Answer::yes;
  return f;
}

}  // namespace

void check_kernel(std::vector<Finding>& to) {
  KernelVersion v = kernel_version();
  Finding kernel{.id = "kernel", .title = "Linux " + v.release, .needed_for = "every mount"};
  kernel.answer = v.at_least(3, 15) ? Answer::yes : Answer::no;
  kernel.essential = true;
  kernel.detail = protocol_of(v);
  to.push_back(kernel);
  to.push_back(control_check());
  to.push_back(namespaces_check());
  to.push_back(pages_check());
  to.push_back(uring_check(v));
  to.push_back(passthrough_check(v));
}

}  // namespace isthmus::ctl
