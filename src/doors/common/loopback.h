#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/problem.h"
#include "base/result.h"

/// Sockets of servers that only this machine's users may reach.
namespace isthmus {

struct Endpoint {
  std::string address = "127.0.0.1";  ///< numeric, IPv4 or IPv6
  uint16_t port = 0;                  ///< 0: any that is free
};

struct Listener {
  Fd socket;  ///< TCP, non-blocking, with TCP_NODELAY for what it accepts
  Endpoint bound;
};
/// Addresses other than the loopback's are refused unless `anywhere`.
Expected<Listener> listen_on(const Endpoint& at, bool anywhere = false);
/// Where a socket is bound.
Result<Endpoint> local_endpoint(int socket);

/// Who has the other end of an accepted connection of this machine: asked of the kernel (sock_diag(7)), exactly.
/// ENOENT: nobody here, or no longer. Some 10 us.
Result<uint32_t> peer_uid(int socket);

/// Whose programs may connect: those of the server's user, of root and of `others`; with `anywhere`, other machines'.
/// Any thread.
class Admission {
 public:
  Admission(bool anywhere, std::vector<uint32_t> others) : anywhere_(anywhere), others_(std::move(others)) {}
  /// `uid`: none for connections of another machine. The log has each user who is refused once.
  bool admits(int socket, std::optional<uint32_t>& uid);

 private:
  const bool anywhere_;
  const std::vector<uint32_t> others_;
  std::mutex m_;  // leaf lock
  std::set<uint32_t> told_;
};

}  // namespace isthmus
