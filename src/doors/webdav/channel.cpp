#include "doors/webdav/channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace isthmus::webdav {
namespace {

class Plain final : public Channel {
 public:
  explicit Plain(int socket) : socket_(socket) {}
  Did begin() override { return Did::some; }
  Moved receive(char* to, size_t size) override {
    ssize_t n;
    do n = recv(socket_, to, size, 0);
    while (n < 0 && errno == EINTR);
    return moved(n, Did::needs_read);
  }
  Moved send(const char* from, size_t size, bool more) override {
    ssize_t n;
    do n = ::send(socket_, from, size, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    while (n < 0 && errno == EINTR);
    return moved(n, Did::needs_write);
  }
  bool holds_bytes() const override { return false; }
  bool is_plain() const override { return true; }
  void end_sending() override { ::shutdown(socket_, SHUT_WR); }

 private:
  static Moved moved(ssize_t n, Did later) {
    if (n > 0) return {Did::some, static_cast<size_t>(n)};
    return {n < 0 && errno == EAGAIN ? later : Did::over, 0};
  }
  const int socket_;
};

}  // namespace

std::unique_ptr<Channel> plain_channel(int socket) { return std::make_unique<Plain>(socket); }

}  // namespace isthmus::webdav
