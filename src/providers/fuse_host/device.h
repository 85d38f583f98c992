#pragma once
#include <cstddef>

namespace isthmus::fuse_host {

/// The longest message that a socket (AF_UNIX) takes.
size_t message_size(int fd);
/// Has it take messages of kMostMessage bytes, or as long as this user may have them; answers how long.
size_t raise_message_size(int fd);
/// The longest message that a socket takes for which nobody has asked for more.
size_t usual_message_size();

}  // namespace isthmus::fuse_host
