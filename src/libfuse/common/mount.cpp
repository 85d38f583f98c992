#include "libfuse/common/mount.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "control/host.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/unmount.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse {
namespace {

/// A device must not become somebody's stdout.
void fill_standard_descriptors() {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= 2);
  if (fd > 2) close(fd);
}

std::nullopt_t told(const Problem& p) {
  message(FUSE_LOG_ERR, "fuse: %s\n", p.text().c_str());
  return std::nullopt;
}

/// By a process of ours that is the kernel for this one: nothing is mounted here.
std::optional<Mount> mount_by_host(const char* host, const char* mountpoint, const fuse::MountOptions& o) {
  auto device = control::connect_to_host(host, {.mountpoint = fuse::absolute_mountpoint(mountpoint),
                                                .fsname = o.fsname,
                                                .subtype = o.subtype,
                                                .read_only = o.read_only});
  if (!device) return told(device.problem());
  Mount made;
  made.mounted.device = std::move(*device);
  made.mounted.by = fuse::MountedBy::somebody;
  return made;
}

}  // namespace

std::optional<Mount> mount_at(const char* mountpoint, const fuse::MountOptions& o) {
  if (!mountpoint) {
    message(FUSE_LOG_ERR, "fuse: missing mountpoint parameter\n");
    return std::nullopt;
  }
  fill_standard_descriptors();
  if (const char* host = secure_getenv(control::kHostVariable)) return mount_by_host(host, mountpoint, o);
  auto point = fuse::open_mountpoint(mountpoint);
  if (!point) return told(point.problem());
  std::string source = !o.fsname.empty() ? o.fsname : !o.subtype.empty() ? o.subtype : "/dev/fuse";
  Mount made;
  if (o.auto_unmount) {
    auto keeper = fuse::Keeper::start();
    if (!keeper) return told(keeper.problem());
    made.keeper.emplace(std::move(*keeper));
  }
  uint32_t type = point->type;
  auto mounted = fuse::mount(std::move(*point), o, type, source, o.subtype);
  if (!mounted) return told(mounted.problem());
  if (made.keeper) static_cast<void>(made.keeper->arm(*mounted, true));
  made.mounted = std::move(*mounted);
  return made;
}

void unmount(Mount mount) {
  mount.mounted.device.reset();
  mount.keeper.reset();
  const fuse::Mounted& m = mount.mounted;
  if (m.by == fuse::MountedBy::somebody || m.id < 0) return;
  // Not whatever else may have been mounted there since.
  if (auto entry = fuse::mount_by_id(m.id); entry && entry->path == m.path)
    static_cast<void>(fuse::unmount_entry(*entry, fuse::UnmountHow::lazy));
}

int mount_session(fuse_session& se, const char* mountpoint) {
  auto mount = mount_at(mountpoint, se.options);
  if (!mount) return -1;
  se.mount = std::move(mount);
  se.mounted = &se.mount->mounted;
  se.fd = se.mounted->device.get();
  return 0;
}

void unmount_session(fuse_session& se) {
  if (!se.mount) return;
  se.close_door();
  se.mounted = nullptr;
  Mount mount = std::move(*se.mount);
  se.mount.reset();
  unmount(std::move(mount));
}

}  // namespace isthmus::libfuse
