#pragma once
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <vector>

/// The system calls of a hosted daemon that its host answers in the kernel's place (seccomp(2), user notification).
/// Pure.
namespace isthmus::fuse_daemon {

enum class SystemCall : uint8_t {
  other,
  open,
  openat,
  openat2,
  mount,
  umount,
  umount2,
  fsopen,
  ioctl,
  execve,
  execveat,
  fcntl,
};

/// Which one it is, on the machine that the caller runs as: on x86-64 that may be i386, too.
SystemCall which_call(const seccomp_data& d);

/// The filter: these calls wait for an answer where their registers do not say already that they are none of ours; all
/// others go on at full speed. A pipe cannot be made longer (EPERM, as for ordinary users above a limit): whoever would
/// splice between it and the device writes what it has in one message. Calls of a machine that is not known, and of
/// x32, fail with ENOSYS: nothing is known of their numbers.
std::vector<sock_filter> make_filter();

}  // namespace isthmus::fuse_daemon
