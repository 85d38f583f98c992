/// fuse_chan_*: channels.
#include <poll.h>
#include <unistd.h>

#include <new>

#include "doors/fuse/dev_transport.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/unmount.h"
#include "libfuse/common/loops.h"
#include "libfuse/v2/exports.h"
#include "libfuse/v2/session.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse::v2 {
namespace {

int receive_from_device(fuse_chan& ch, MutableBytes into) {
  if (ch.session && !ch.session->op) return libfuse::receive(*ch.session->core, into);
  for (;;) {
    ssize_t n = read(ch.fd, into.data(), into.size());
    if (n >= 0) return static_cast<int>(n);
    if (errno == ENOENT) continue;  // a request that was interrupted before it could be read
    if (errno != ENODEV) return -errno;
    if (ch.session) ask_to_exit(*ch.session->core);
    return 0;
  }
}

int send(fuse_chan& ch, const iovec* parts, size_t count) {
  if (ch.before_2_6.send) return ch.before_2_6.send(&ch, parts, count);
  if (ch.op.send) return ch.op.send(&ch, parts, count);
  if (!parts) return 0;
  return writev(ch.fd, parts, static_cast<int>(count)) < 0 ? -errno : 0;
}

/// Messages by functions of the program.
class ChannelTransport final : public isthmus::fuse::Transport {
 public:
  explicit ChannelTransport(fuse_chan& ch) : channel_(ch) {}
  void open_lane(unsigned) override {}
  Result<size_t> receive(unsigned, MutableBytes into) override {
    fuse_chan* ch = &channel_;
    int n = v2::receive(ch, into);
    if (n == 0) return err(ENODEV);
    if (n < 0) return err(-n);
    return static_cast<size_t>(n);
  }
  bool readable() override {
    pollfd p{channel_.fd, POLLIN, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
  }
  Status send(unsigned, std::span<const iovec> message) override { return notify(message); }
  Result<bool> send_file(unsigned, const wire::fuse::OutHeader&, const Buffer::FileRange&) override { return false; }
  Status notify(std::span<const iovec> message) override {
    int rc = v2::send(channel_, message.data(), message.size());
    return rc < 0 ? Status(err(-rc)) : Status(Unit{});
  }
  void hang_up() override {}

 private:
  fuse_chan& channel_;
};

fuse_chan* made(std::unique_ptr<fuse_chan> ch, int fd, size_t bufsize, void* data) {
  ch->fd = fd;
  ch->bufsize = bufsize;
  ch->data = data;
  return ch.release();
}

}  // namespace

int receive(fuse_chan*& ch, MutableBytes into) {
  auto* memory = reinterpret_cast<char*>(into.data());
  if (ch->before_2_6.receive) return ch->before_2_6.receive(ch, memory, into.size());
  if (ch->op.receive) return ch->op.receive(&ch, memory, into.size());
  return receive_from_device(*ch, into);
}

fuse_chan* device_channel(int fd) {
  auto ch = std::unique_ptr<fuse_chan>(new (std::nothrow) fuse_chan);
  if (!ch) return no_memory(), nullptr;
  Mount given;
  given.mounted.device.reset(fd);
  given.mounted.by = isthmus::fuse::MountedBy::somebody;
  ch->mount = std::move(given);
  return made(std::move(ch), fd, kChanBufsize, nullptr);
}

void add_channel(fuse_session& se, fuse_chan& ch) {
  if (se.chan || ch.session) {
    message(FUSE_LOG_ERR, "fuse: a session has one channel, and a channel one session\n");
    return;
  }
  se.chan = &ch;
  ch.session = &se;
  ::fuse_session& core = *se.core;
  core.fd = ch.fd;
  if (se.op) return;
  if (ch.is_device()) {
    bool allow_root = core.options.allow_root;
    core.options = ch.options;
    core.options.allow_root = core.options.allow_root || allow_root;
    if (ch.mount) core.mounted = &ch.mount->mounted;
    // A copy of the descriptor: the channel may outlive the session.
    isthmus::fuse::SessionOptions usual;
    if (Fd device(dup(ch.fd)); device)
      core.transport = std::make_unique<isthmus::fuse::DevTransport>(std::move(device), usual.clone_fd, usual.splice);
  } else {
    core.transport = std::make_unique<ChannelTransport>(ch);
  }
}

void remove_channel(fuse_chan& ch) {
  if (!ch.session) return;
  ::fuse_session& core = *ch.session->core;
  core.close_door();
  core.mounted = nullptr;
  ch.session->chan = nullptr;
  ch.session = nullptr;
}

void destroy_channel(fuse_chan* ch) {
  if (!ch) return;
  remove_channel(*ch);
  if (ch->before_2_6.destroy) ch->before_2_6.destroy(ch);
  if (ch->op.destroy) ch->op.destroy(ch);
  delete ch;
}

void unmount(const char* mountpoint, fuse_chan* ch) {
  if (ch) remove_channel(*ch);
  bool by_channel = ch && ch->mount && ch->mount->mounted.by != isthmus::fuse::MountedBy::somebody;
  if (by_channel) {
    Mount mount = std::move(*ch->mount);
    ch->mount.reset();
    libfuse::unmount(std::move(mount));
  } else if (mountpoint) {
    if (ch) ch->mount.reset();
    if (auto entry = isthmus::fuse::mount_at(isthmus::fuse::mounted_path(mountpoint)); entry && entry->is_fuse())
      static_cast<void>(isthmus::fuse::unmount_entry(*entry, isthmus::fuse::UnmountHow::lazy));
  }
  destroy_channel(ch);
}

ISTHMUS_FUNCTION_2(fuse_chan*, fuse_chan_new, fuse_chan_ops* op, int fd, size_t bufsize, void* data) {
  auto ch = std::unique_ptr<fuse_chan>(new (std::nothrow) fuse_chan);
  if (!ch) return no_memory(), nullptr;
  ch->op = *op;
  return made(std::move(ch), fd, bufsize, data);
}

ISTHMUS_FUNCTION_2(fuse_chan*, fuse_chan_new_compat24, fuse_chan_ops_compat24* op, int fd, size_t bufsize, void* data) {
  auto ch = std::unique_ptr<fuse_chan>(new (std::nothrow) fuse_chan);
  if (!ch) return no_memory(), nullptr;
  ch->before_2_6 = *op;
  return made(std::move(ch), fd, bufsize, data);
}
ISTHMUS_OLD_VERSION(fuse_chan_new, fuse_chan_new_compat24, "FUSE_2.4")

ISTHMUS_FUNCTION_2(fuse_chan*, fuse_kern_chan_new, int fd) { return device_channel(fd); }

ISTHMUS_FUNCTION_2(int, fuse_chan_fd, fuse_chan* ch) { return ch->fd; }
ISTHMUS_FUNCTION_2(size_t, fuse_chan_bufsize, fuse_chan* ch) { return ch->bufsize; }
ISTHMUS_FUNCTION_2(void*, fuse_chan_data, fuse_chan* ch) { return ch->data; }
ISTHMUS_FUNCTION_2(fuse_session*, fuse_chan_session, fuse_chan* ch) { return ch->session; }

ISTHMUS_FUNCTION_2(int, fuse_chan_recv, fuse_chan** ch, char* buf, size_t size) {
  return receive(*ch, {reinterpret_cast<std::byte*>(buf), size});
}
ISTHMUS_FUNCTION_2(int, fuse_chan_receive, fuse_chan* ch, char* buf, size_t size) {
  int n = receive(ch, {reinterpret_cast<std::byte*>(buf), size});
  return n >= 0 ? n : n == -EINTR || n == -EAGAIN ? 0 : -1;
}
ISTHMUS_FUNCTION_2(int, fuse_chan_send, fuse_chan* ch, const iovec iov[], size_t count) {
  return send(*ch, iov, count);
}
ISTHMUS_FUNCTION_2(void, fuse_chan_destroy, fuse_chan* ch) { destroy_channel(ch); }

}  // namespace isthmus::libfuse::v2
