#pragma once
#include <sys/ioctl.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/problem.h"

namespace isthmus::fuse_daemon {

/// FUSE_DEV_IOC_CLONE (linux/fuse.h).
constexpr uint32_t kCloneDevice = static_cast<uint32_t>(_IOR(229, 0, uint32_t));

/// What a daemon has for /dev/fuse: one end of a socket pair (SOCK_SEQPACKET), whose other end is a kernel of ours.
/// Both ends take messages as large as this user may have them.
struct DevicePair {
  Fd ours, theirs;
};
Expected<DevicePair> make_device();

/// The host's copy of a daemon's end, until the daemon serves: from then on only the daemon's own keep it open, and the
/// end of these is seen.
class Device {
 public:
  explicit Device(Fd end);
  int get() const { return end_.get(); }
  bool here() const { return static_cast<bool>(end_); }
  void let_go() { end_.reset(); }
  /// Whether a descriptor of any process, fetched, is this socket.
  bool is(const Fd& other) const;

 private:
  Fd end_;
  dev_t dev_ = 0;
  ino_t ino_ = 0;
};

}  // namespace isthmus::fuse_daemon
