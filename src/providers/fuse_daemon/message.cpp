#include "providers/fuse_daemon/message.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace isthmus::fuse_daemon {
namespace {

constexpr size_t kMostMessage = 32 << 10;

}  // namespace

bool send_message(int socket, std::string_view text, int fd, int flags) {
  iovec data{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr m{};
  m.msg_iov = &data;
  m.msg_iovlen = 1;
  if (fd >= 0) {
    m.msg_control = space;
    m.msg_controllen = sizeof space;
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  ssize_t n = 0;
  while ((n = sendmsg(socket, &m, MSG_NOSIGNAL | flags)) < 0 && errno == EINTR) {
  }
  return n >= 0;
}

Message receive_message(int socket, int flags) {
  Message got;
  got.text.resize(kMostMessage);
  iovec data{got.text.data(), got.text.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  msghdr m{};
  m.msg_iov = &data;
  m.msg_iovlen = 1;
  m.msg_control = space;
  m.msg_controllen = sizeof space;
  ssize_t n = 0;
  while ((n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | flags)) < 0 && errno == EINTR) {
  }
  got.over = n == 0 || (n < 0 && errno != EAGAIN);
  got.text.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  for (cmsghdr* c = n < 0 ? nullptr : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int))) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(c), sizeof fd);
      got.fd.reset(fd);
    }
  return got;
}

}  // namespace isthmus::fuse_daemon
