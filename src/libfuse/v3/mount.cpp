/// fuse_session_mount, _unmount, _custom_io.
#include "libfuse/common/mount.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "doors/fuse/dev_transport.h"
#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/low_level_fs.h"

using namespace isthmus;
using namespace isthmus::libfuse;

namespace {

/// Messages by functions of the program.
class CustomTransport final : public fuse::Transport {
 public:
  CustomTransport(const fuse_custom_io& io, int fd, const fuse_session& se) : io_(io), fd_(fd), session_(se) {}
  void open_lane([[maybe_unused]] unsigned lane) override {
#if ISTHMUS_FUSE3_SO >= 4
    if (!session_.clone_fd || !io_.clone_fd) return;
    Fd own(io_.clone_fd(fd_.get()));
    if (!own) message(FUSE_LOG_ERR, "fuse: clone_fd failed; a thread goes on with the descriptor of all\n");
    lanes_[lane] = std::move(own);
#endif
  }
  Result<size_t> receive(unsigned lane, MutableBytes into) override {
    ssize_t n = io_.read(fd_of(lane), into.data(), into.size(), userdata());
    if (n == 0) return err(ENODEV);
    if (n < 0) return last_errno();
    return static_cast<size_t>(n);
  }
  bool readable() override {
    pollfd p{fd_.get(), POLLIN, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
  }
  Status send(unsigned lane, std::span<const iovec> message) override { return write(fd_of(lane), message); }
  Result<bool> send_file(unsigned, const wire::fuse::OutHeader&, const Buffer::FileRange&) override { return false; }
  Status notify(std::span<const iovec> message) override { return write(fd_.get(), message); }
  void hang_up() override {}

 private:
  void* userdata() const { return session_.program->userdata(); }
  int fd_of(unsigned lane) const { return lanes_[lane] ? lanes_[lane].get() : fd_.get(); }
  Status write(int fd, std::span<const iovec> message) {
    auto* parts = const_cast<iovec*>(message.data());
    size_t whole = 0;
    for (const iovec& part : message) whole += part.iov_len;
    ssize_t n = io_.writev(fd, parts, static_cast<int>(message.size()), userdata());
    if (n < 0) return last_errno();
    // What is left of a message cannot be told from another one. 0 is what Debian's example hello_ll_uds returns after
    // it has written all, and the original takes that.
    return n == 0 || static_cast<size_t>(n) == whole ? Status(Unit{}) : Status(err(EIO));
  }

  const fuse_custom_io io_;
  Fd fd_;
  const fuse_session& session_;
  std::array<Fd, fuse::DevTransport::kMaxLanes> lanes_;  // each is its thread's; none: fd_
};

}  // namespace

ISTHMUS_EXPORT int fuse_session_mount(fuse_session* se, const char* mountpoint) {
  return mount_session(*se, mountpoint);
}
ISTHMUS_EXPORT void fuse_session_unmount(fuse_session* se) { unmount_session(*se); }

ISTHMUS_EXPORT int fuse_open_channel(const char* mountpoint, const char* options) {
  // Another program is going to serve: only the mount is made.
  fuse_session se(std::make_unique<LowLevelFs>(fuse_lowlevel_ops{}, nullptr));
  std::string name, flag = "-o", list = options;
  char* argv[] = {name.data(), flag.data(), list.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, argv);
  bool good = parse_session_options(args, se);
  fuse_opt_free_args(&args);
  if (!good) return -1;
  se.options.auto_unmount = false;
  auto mount = mount_at(mountpoint, se.options);
  return mount ? mount->mounted.device.release() : -1;
}

namespace {

int serve_by(fuse_session* se, const fuse_custom_io* io, size_t io_size, int fd) {
  if (fd < 0) {
    message(FUSE_LOG_ERR, "fuse: fuse_session_custom_io() was given the descriptor %d\n", fd);
    return -EBADF;
  }
  if (!io || !io->read || !io->writev) {
    message(FUSE_LOG_ERR, "fuse: fuse_session_custom_io() needs the functions read and writev\n");
    return -EINVAL;
  }
  fuse_custom_io all{};
  memcpy(&all, io, std::min(io_size, sizeof all));
  se->transport = std::make_unique<CustomTransport>(all, fd, *se);
  se->fd = fd;
  se->custom = true;
  return 0;
}

/// What fuse_custom_io was until 3.17.
constexpr size_t kSize30 = offsetof(fuse_custom_io, splice_send) + sizeof(fuse_custom_io::splice_send);

}  // namespace

#if ISTHMUS_FUSE3_SO >= 4
#undef fuse_session_custom_io
ISTHMUS_EXPORT int fuse_session_custom_io_317(fuse_session* se, const fuse_custom_io* io, size_t op_size, int fd) {
  return serve_by(se, io, op_size, fd);
}
ISTHMUS_EXPORT int fuse_session_custom_io(fuse_session* se, const fuse_custom_io* io, size_t op_size, int fd) {
  return serve_by(se, io, op_size, fd);
}
ISTHMUS_EXPORT int fuse_session_custom_io_30(fuse_session* se, const fuse_custom_io* io, int fd) {
  return serve_by(se, io, kSize30, fd);
}
ISTHMUS_OLD_VERSION(fuse_session_custom_io, fuse_session_custom_io_v30, "FUSE_3.0")
ISTHMUS_EXPORT int fuse_session_custom_io_v30(fuse_session* se, const fuse_custom_io* io, int fd) {
  return serve_by(se, io, kSize30, fd);
}
#else
ISTHMUS_EXPORT int fuse_session_custom_io(fuse_session* se, const fuse_custom_io* io, int fd) {
  return serve_by(se, io, kSize30, fd);
}
#endif
