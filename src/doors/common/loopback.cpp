#include "doors/common/loopback.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"

namespace isthmus {
namespace {

constexpr size_t kMostTold = 1000;  // users

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

socklen_t size_of(const Address& a) { return a.any.sa_family == AF_INET6 ? sizeof a.v6 : sizeof a.v4; }

std::optional<Address> parse(const Endpoint& at) {
  Address a{};
  if (inet_pton(AF_INET, at.address.c_str(), &a.v4.sin_addr) == 1) {
    a.v4.sin_family = AF_INET;
    a.v4.sin_port = htons(at.port);
    return a;
  }
  a = {};
  if (inet_pton(AF_INET6, at.address.c_str(), &a.v6.sin6_addr) == 1) {
    a.v6.sin6_family = AF_INET6;
    a.v6.sin6_port = htons(at.port);
    return a;
  }
  return std::nullopt;
}

bool is_loopback(const Address& a) {
  if (a.any.sa_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
  return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
}

/// As sock_diag names one end of a connection.
void put_end(const Address& a, __be16& port, __be32 (&address)[4]) {
  if (a.any.sa_family == AF_INET6) {
    port = a.v6.sin6_port;
    std::memcpy(address, &a.v6.sin6_addr, 16);
  } else {
    port = a.v4.sin_port;
    std::memcpy(address, &a.v4.sin_addr, 4);
  }
}

}  // namespace

Expected<Listener> listen_on(const Endpoint& at, bool anywhere) {
  auto address = parse(at);
  if (!address)
    return Problem{err(EINVAL), fmt::format("'{}' is not a numeric IP address", at.address), "give 127.0.0.1 or ::1"};
  if (!anywhere && !is_loopback(*address)) {
    return Problem{err(EPERM), fmt::format("{} is not an address of the loopback interface", at.address),
                   "others on the network could reach the files: give 127.0.0.1 or ::1"};
  }
  const std::string where = fmt::format("{} port {}", at.address, at.port);
  Fd fd(socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd) return Problem{last_errno(), fmt::format("cannot make a socket: {}", text_of(last_errno())), ""};
  // Set before listen(2), so that accepted sockets have it.
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A port that was asked for can be taken again at once after a restart.
  if (at.port) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), &address->any, size_of(*address)) < 0 || listen(fd.get(), SOMAXCONN) < 0) {
    const Errno e = last_errno();
    return Problem{e, fmt::format("cannot listen on {}: {}", where, text_of(e)),
                   e == err(EADDRINUSE) ? "another program has this port; leave it out to get a free one" : ""};
  }
  auto bound = local_endpoint(fd.get());
  if (!bound)
    return Problem{bound.error(), fmt::format("cannot tell where the server listens: {}", text_of(bound.error())), ""};
  return Listener{std::move(fd), std::move(*bound)};
}

Result<Endpoint> local_endpoint(int socket) {
  Address a{};
  socklen_t size = sizeof a;
  if (getsockname(socket, &a.any, &size) < 0) return last_errno();
  char text[INET6_ADDRSTRLEN] = "";
  const bool six = a.any.sa_family == AF_INET6;
  const void* bytes = six ? static_cast<const void*>(&a.v6.sin6_addr) : &a.v4.sin_addr;
  if (!inet_ntop(a.any.sa_family, bytes, text, sizeof text)) return last_errno();
  return Endpoint{text, ntohs(six ? a.v6.sin6_port : a.v4.sin_port)};
}

Result<uint32_t> peer_uid(int socket) {
  Address self{}, peer{};
  socklen_t self_size = sizeof self, peer_size = sizeof peer;
  if (getsockname(socket, &self.any, &self_size) < 0 || getpeername(socket, &peer.any, &peer_size) < 0)
    return last_errno();

  Fd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return last_errno();
  struct {
    nlmsghdr head;
    inet_diag_req_v2 body;
  } ask{};
  ask.head.nlmsg_len = sizeof ask;
  ask.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  ask.head.nlmsg_flags = NLM_F_REQUEST;
  ask.body.sdiag_family = static_cast<__u8>(peer.any.sa_family);
  ask.body.sdiag_protocol = IPPROTO_TCP;
  ask.body.idiag_states = UINT32_MAX;
  put_end(peer, ask.body.id.idiag_sport, ask.body.id.idiag_src);
  put_end(self, ask.body.id.idiag_dport, ask.body.id.idiag_dst);
  ask.body.id.idiag_cookie[0] = ask.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(netlink.get(), &ask, sizeof ask, 0) < 0) return last_errno();

  alignas(nlmsghdr) char answer[4096];
  const ssize_t n = recv(netlink.get(), answer, sizeof answer, 0);
  if (n < 0) return last_errno();
  nlmsghdr head{};
  if (static_cast<size_t>(n) < sizeof head) return err(EBADMSG);
  std::memcpy(&head, answer, sizeof head);
  if (head.nlmsg_type == NLMSG_ERROR) {
    nlmsgerr error{};
    if (static_cast<size_t>(n) < NLMSG_LENGTH(sizeof error)) return err(EBADMSG);
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    return err(error.error < 0 ? -error.error : EBADMSG);
  }
  inet_diag_msg found{};
  if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || static_cast<size_t>(n) < NLMSG_LENGTH(sizeof found))
    return err(EBADMSG);
  std::memcpy(&found, answer + NLMSG_HDRLEN, sizeof found);
  // A socket that its program has closed belongs to nobody: the kernel says uid 0.
  if (found.idiag_inode == 0) return err(ENOENT);
  return found.idiag_uid;
}

bool Admission::admits(int socket, std::optional<uint32_t>& uid) {
  const auto peer = peer_uid(socket);
  if (!peer) return anywhere_ && peer.error() == err(ENOENT);
  uid = *peer;
  if (*uid == geteuid() || *uid == 0) return true;
  if (std::find(others_.begin(), others_.end(), *uid) != others_.end()) return true;
  // Once a user: whoever tries again and again must not fill the log.
  std::lock_guard lock(m_);
  if (told_.size() < kMostTold && told_.insert(*uid).second)
    log(LogLevel::warning, "a connection of user {} was refused; --allow-uid {} would let it in", *uid, *uid);
  return false;
}

}  // namespace isthmus
