#include "doors/fuse/dev_transport.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "wire/fuse/device.h"

namespace isthmus::fuse {

DevTransport::DevTransport(Fd device, bool clone, bool splice) : clone_(clone), splice_(splice) {
  for (auto& l : lanes_) l.store(-1, std::memory_order_relaxed);
  attach(std::move(device));
}

void DevTransport::attach(Fd device) {
  device_ = std::move(device);
  struct stat st {};
  socket_ = ::fstat(device_.get(), &st) == 0 && S_ISSOCK(st.st_mode);
}

DevTransport::~DevTransport() {
  for (auto& l : lanes_)
    if (int fd = l.load(); fd >= 0) ::close(fd);
}

void DevTransport::open_lane(unsigned lane) {
  if (lane == 0 || !clone_ || socket_) return;
  Fd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  auto from = static_cast<uint32_t>(device_.get());
  // Without a device node (a container) or with an old kernel all threads share the one descriptor.
  if (!fd || ::ioctl(fd.get(), wire::fuse::kDevIocClone, &from) < 0) return;
  lanes_[lane].store(fd.release(), std::memory_order_release);
}

Result<size_t> DevTransport::receive(unsigned lane, MutableBytes into) {
  ssize_t n = ::read(fd_of(lane), into.data(), into.size());
  // The other end of a socket was closed, with or without unread messages of ours.
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return err(ENODEV);
  if (n < 0) return last_errno();
  return static_cast<size_t>(n);
}

bool DevTransport::readable() {
  pollfd p{device_.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

Status DevTransport::write_message(int fd, std::span<const iovec> message) const {
  ssize_t n;
  do {
    if (socket_) {
      msghdr m{};
      m.msg_iov = const_cast<iovec*>(message.data());
      m.msg_iovlen = message.size();
      n = ::sendmsg(fd, &m, MSG_NOSIGNAL);
    } else {
      n = ::writev(fd, message.data(), static_cast<int>(message.size()));
    }
  } while (n < 0 && errno == EINTR);
  return check(n < 0 ? -1 : 0);
}

Status DevTransport::send(unsigned lane, std::span<const iovec> message) { return write_message(fd_of(lane), message); }

Result<bool> DevTransport::send_file(unsigned lane, const wire::fuse::OutHeader& header,
                                     const Buffer::FileRange& range) {
  // A socket would cut what is spliced into it into several messages.
  if (!splice_ || socket_) return false;
  auto pipe = pipes_.take(range.length);
  if (!pipe) return false;
  if (!fill_pipe(*pipe, std::as_bytes(std::span(&header, 1)), range)) return false;
  ssize_t n;
  do n = ::splice(pipe->out.get(), nullptr, fd_of(lane), nullptr, header.len, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) return last_errno();  // the pipe may hold data still: it is closed
  pipes_.give(std::move(pipe));
  return true;
}

Result<int32_t> DevTransport::backing_open(int fd) {
  wire::fuse::BackingMap map{fd, 0, 0};
  int id = ::ioctl(device_.get(), wire::fuse::kDevIocBackingOpen, &map);
  if (id <= 0) return id < 0 ? last_errno() : err(ENOTTY);
  return id;
}

void DevTransport::backing_close(int32_t id) {
  auto number = static_cast<uint32_t>(id);
  if (::ioctl(device_.get(), wire::fuse::kDevIocBackingClose, &number) < 0 && errno != ENODEV)
    log(LogLevel::warning, "the kernel does not let go of backing file {}: {}", id, text_of(last_errno()));
}

void DevTransport::hang_up() {
  if (socket_) ::shutdown(device_.get(), SHUT_RDWR);
}

}  // namespace isthmus::fuse
