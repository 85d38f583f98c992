#pragma once
#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/problem.h"
#include "base/result.h"

/// Sockets of servers that only this machine's users may reach.
namespace isthmus {

struct Endpoint {
  std::string address = "127.0.0.1";  ///< numeric, IPv4 or IPv6
  uint16_t port = 0;                  ///< 0: any that is free
};

/// A listening TCP socket, non-blocking, with TCP_NODELAY for what it accepts. Addresses other than the loopback's are
/// refused unless `anywhere`.
Expected<Fd> listen_on(const Endpoint& at, bool anywhere = false);
/// Where a socket is bound.
Result<Endpoint> local_endpoint(int socket);

/// Who has the other end of an accepted connection of this machine: asked of the kernel (sock_diag(7)), exactly.
/// ENOENT: nobody here, or no longer. Some 10 us.
Result<uint32_t> peer_uid(int socket);

}  // namespace isthmus
