#include "providers/fuse_host/device.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "providers/fuse_host/connection.h"

namespace isthmus::fuse_host {
namespace {

// Linux: unix_dgram_sendmsg() and its kin.
constexpr int kKernelsOwn = 32;
constexpr size_t kLeast = 4608;  // SOCK_MIN_SNDBUF

}  // namespace

size_t message_size(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) < 0 || size < static_cast<int>(kLeast)) return kLeast;
  return static_cast<size_t>(size - kKernelsOwn);
}

size_t raise_message_size(int fd) {
  // The kernel doubles it.
  const int size = static_cast<int>(kMostMessage / 2 + kKernelsOwn);
  if (message_size(fd) < kMostMessage && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return message_size(fd);
}

size_t usual_message_size() {
  const Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  return message_size(fd.get());
}

}  // namespace isthmus::fuse_host
