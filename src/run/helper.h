#pragma once
#include <sys/types.h>

#include <functional>

#include "base/fd.h"
#include "base/problem.h"

namespace isthmus {

/// A process beside this one, which outlives it by as much as it likes: nobody's child, in a session of its own, in
/// "/", deaf to the signals of terminals, with nothing open but /dev/null and, as descriptor 3, one end of a socket
/// (SOCK_SEQPACKET, close-on-exec) whose other end is returned. It runs `body(3)` and ends. `name`: at most 15 bytes,
/// for ps(1). Start it before any thread exists.
Expected<Fd> start_helper(const char* name, const std::function<void(int socket)>& body);

/// A message of the socket; EINTR is no end. 0: the other side is gone; -1: errno.
ssize_t receive_message(int socket, void* data, size_t size);

}  // namespace isthmus
