#pragma once
#include <string>
#include <string_view>

#include "base/fd.h"

namespace isthmus::fuse_daemon {

/// A message on a Unix socket, and a descriptor with it unless that is -1. False: errno. `flags` as of sendmsg(2).
bool send_message(int socket, std::string_view text, int fd, int flags = 0);

struct Message {
  std::string text;
  Fd fd;              ///< close-on-exec
  bool over = false;  ///< the other end is closed
};
/// The next one; with MSG_DONTWAIT possibly none, which is empty and not `over`. At most 32 KiB of it.
Message receive_message(int socket, int flags = 0);

}  // namespace isthmus::fuse_daemon
