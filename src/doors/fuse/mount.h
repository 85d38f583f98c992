#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/problem.h"
#include "doors/fuse/options.h"

/// Mounting: /dev/fuse and the kernel's mount calls as root, the system's setuid helper fusermount3 as an ordinary
/// user. No code of ours ever runs setuid.
namespace isthmus::fuse {

/// How a mount came to be, and so how it is taken away.
enum class MountedBy : uint8_t {
  kernel_call,  ///< fsmount(2) or mount(2)
  helper,       ///< fusermount3
  somebody,     ///< an open descriptor was given as /dev/fd/N: neither mounted nor unmounted by us
};

struct Mounted {
  Fd device;         ///< /dev/fuse, connected to the mount; the kernel's INIT waits in it
  Fd helper;         ///< auto_unmount as a user: fusermount3 unmounts when this is closed by everyone who has it
  std::string path;  ///< absolute, without symbolic links; empty for MountedBy::somebody
  MountedBy by = MountedBy::kernel_call;
  int id = -1;              ///< mount id in /proc/self/mountinfo; -1 if unknown
  uint32_t connection = 0;  ///< number below /sys/fs/fuse/connections; 0 if unknown
};

/// A mountpoint that was looked at and may be mounted on.
struct Mountpoint {
  std::string path;   ///< absolute; empty when `device` is given
  Fd place;           ///< O_PATH, of that very file
  uint32_t type = 0;  ///< S_IFDIR or S_IFREG...
  Fd device;          ///< "/dev/fd/N": the FUSE device that somebody mounted
};

/// Opens the mountpoint, once: what happens to the path later no longer matters (no race with a symbolic link). Says
/// why it cannot be one; a mount whose server is gone is recognised without touching it.
Expected<Mountpoint> open_mountpoint(const std::string& path);

/// Mounts. `root_type`: S_IFMT bits of the file system's root, which the mountpoint must share. `source` and `type`
/// fill the mount table where the options have no fsname and subtype; an empty type leaves it at "fuse". The serving
/// process must not touch the mountpoint from here on.
Expected<Mounted> mount(Mountpoint point, const MountOptions& options, uint32_t root_type, const std::string& source,
                        const std::string& type);

/// The text for fusermount3's -o. Values are escaped.
std::string helper_options(const MountOptions& options, const std::string& source, const std::string& type);

/// Full path of fusermount3, or of fusermount where that is all there is; empty if there is none.
std::string find_helper();

/// Whether this process may mount by itself: CAP_SYS_ADMIN in its user namespace.
bool may_mount();

}  // namespace isthmus::fuse
