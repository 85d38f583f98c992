#include "providers/fuse_daemon/device.h"

#include <sys/socket.h>
#include <sys/stat.h>

namespace isthmus::fuse_daemon {
namespace {

/// One message at a time has to fit; more of them wait in the sender. Twice this is what the kernel counts.
constexpr int kRoom = 4 << 20;

void widen(const Fd& socket) {
  for (int name : {SO_SNDBUFFORCE, SO_SNDBUF})
    if (setsockopt(socket.get(), SOL_SOCKET, name, &kRoom, sizeof kRoom) == 0) return;
}

}  // namespace

Expected<DevicePair> make_device() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return Problem{last_errno(), "socketpair: " + std::string(text_of(last_errno())), ""};
  DevicePair pair{Fd(ends[0]), Fd(ends[1])};
  widen(pair.ours);
  widen(pair.theirs);
  return pair;
}

Device::Device(Fd end) : end_(std::move(end)) {
  struct stat st {};
  if (fstat(end_.get(), &st) < 0) return;
  dev_ = st.st_dev;
  ino_ = st.st_ino;
}

bool Device::is(const Fd& other) const {
  struct stat st {};
  return other && ino_ != 0 && fstat(other.get(), &st) == 0 && st.st_dev == dev_ && st.st_ino == ino_;
}

}  // namespace isthmus::fuse_daemon
