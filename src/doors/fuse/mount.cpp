#include "doors/fuse/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/text.h"
#include "doors/fuse/mount_direct.h"
#include "doors/fuse/mount_helper.h"
#include "doors/fuse/mount_table.h"

namespace isthmus::fuse {
namespace {

constexpr int kProbeMs = 3000;

std::string quote(const std::string& path) { return "'" + path + "'"; }

const char* type_name(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFREG:
      return "a regular file";
    case S_IFLNK:
      return "a symbolic link";
    default:
      return "a special file";
  }
}

Expected<Mountpoint> open_given_device(const std::string& path, std::string_view number) {
  auto n = parse_number(number, INT32_MAX);
  int fd = n ? static_cast<int>(*n) : -1;
  if (fd < 0 || fcntl(fd, F_GETFD) < 0)
    return Problem{err(EBADF), "mountpoint " + quote(path) + ": descriptor " + std::string(number) + " is not open",
                   "pass a descriptor of /dev/fuse that has been mounted already"};
  Mountpoint point;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  point.device.reset(fd);
  return point;
}

Problem cannot_open(const std::string& path, Errno e) {
  std::string hint;
  if (e == err(ENOENT)) hint = "create it: mkdir -p " + path;
  if (e == err(ENOTCONN)) hint = "a mount above it is stale: `isthmus unmount` takes that away";
  return {e, "mountpoint " + quote(path) + ": " + std::string(text_of(e)), hint};
}

/// Looks at an existing mount at the path without hanging on it.
std::optional<Problem> check_covered(const std::string& path) {
  auto mounted = mount_at(path);
  if (!mounted || !mounted->is_fuse()) return std::nullopt;
  Probe seen = probe(path, kProbeMs);
  if (!seen.answered)
    return Problem{err(EBUSY), "mountpoint " + quote(path) + " is a FUSE mount that does not answer",
                   "`isthmus unmount --force " + path + "` takes it away"};
  if (seen.error == ENOTCONN || seen.error == ECONNABORTED)
    return Problem{
        err(ENOTCONN),
        "mountpoint " + quote(path) + " is a stale mount: its server is gone (Transport endpoint is not connected)",
        "`isthmus unmount " + path + "` takes it away; then mount again"};
  return std::nullopt;
}

}  // namespace

Expected<Mountpoint> open_mountpoint(const std::string& path) {
  constexpr std::string_view kGiven = "/dev/fd/";
  if (path.starts_with(kGiven)) return open_given_device(path, std::string_view(path).substr(kGiven.size()));

  Mountpoint point;
  point.path = absolute_mountpoint(path);
  if (point.path.empty()) return cannot_open(path, last_errno());
  if (auto covered = check_covered(point.path)) return *covered;
  if (char real[PATH_MAX]; realpath(point.path.c_str(), real)) {
    // A link to the place is followed once, here; a link that appears later is refused by O_NOFOLLOW.
    if (point.path != real)
      if (auto covered = check_covered(real)) return *covered;
    point.path = real;
  }
  point.place.reset(open(point.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  if (!point.place || fstat(point.place.get(), &st) < 0) return cannot_open(path, last_errno());
  if (S_ISLNK(st.st_mode))
    return Problem{err(ELOOP), "mountpoint " + quote(path) + " turned into a symbolic link while it was looked at",
                   "somebody else writes in its folder: mount in a folder of your own"};
  point.type = st.st_mode & S_IFMT;
  return point;
}

Expected<Mounted> mount(Mountpoint point, const MountOptions& options, uint32_t root_type, const std::string& source,
                        const std::string& type) {
  if (point.device) {
    Mounted given;
    given.device = std::move(point.device);
    given.by = MountedBy::somebody;
    return given;
  }
  if ((root_type & S_IFMT) != point.type) {
    bool folder = S_ISDIR(root_type);
    return Problem{err(folder ? ENOTDIR : EISDIR),
                   "mountpoint " + quote(point.path) + " is " + type_name(point.type) + ", but the source is " +
                       type_name(root_type),
                   folder ? "choose or create a directory: mkdir -p DIR" : "choose or create a file: touch FILE"};
  }
  if (options.block_device && !may_mount())
    return Problem{err(EPERM), "only root can mount a block device (type fuseblk) on " + quote(point.path), ""};
  if (may_mount()) {
    auto mounted = mount_direct(point, options, root_type, source, type);
    // A container's root may hold the capability and not the device; the helper may still be able to.
    if (mounted || mounted.problem().code != err(EPERM) || options.block_device || find_helper().empty())
      return mounted;
    auto helped = mount_by_helper(point, options, source, type);
    if (helped) return helped;
    return mounted;
  }
  return mount_by_helper(point, options, source, type);
}

bool may_mount() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) < 0) return geteuid() == 0;
  return (data[0].effective >> CAP_SYS_ADMIN) & 1;
}

}  // namespace isthmus::fuse
