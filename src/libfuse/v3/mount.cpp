/// fuse_session_mount, _unmount, _custom_io.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "doors/fuse/mount_table.h"
#include "doors/fuse/unmount.h"
#include "libfuse/v3/exports.h"
#include "libfuse/v3/session.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/low_level_fs.h"

using namespace isthmus;
using namespace isthmus::libfuse;

namespace {

/// A device must not become somebody's stdout.
void fill_standard_descriptors() {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= 2);
  if (fd > 2) close(fd);
}

int told(const Problem& p) {
  message(FUSE_LOG_ERR, "fuse: %s\n", p.text().c_str());
  return -1;
}

/// Messages by functions of the program.
class CustomTransport final : public fuse::Transport {
 public:
  CustomTransport(const fuse_custom_io& io, int fd, void* userdata) : io_(io), fd_(fd), userdata_(userdata) {}
  void open_lane(unsigned) override {}
  Result<size_t> receive(unsigned, MutableBytes into) override {
    ssize_t n = io_.read(fd_.get(), into.data(), into.size(), userdata_);
    if (n == 0) return err(ENODEV);
    if (n < 0) return last_errno();
    return static_cast<size_t>(n);
  }
  bool readable() override {
    pollfd p{fd_.get(), POLLIN, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
  }
  Status send(unsigned, std::span<const iovec> message) override { return notify(message); }
  Result<bool> send_file(unsigned, const wire::fuse::OutHeader&, const Buffer::FileRange&) override { return false; }
  Status notify(std::span<const iovec> message) override {
    auto* parts = const_cast<iovec*>(message.data());
    size_t whole = 0;
    for (const iovec& part : message) whole += part.iov_len;
    ssize_t n = io_.writev(fd_.get(), parts, static_cast<int>(message.size()), userdata_);
    if (n < 0) return last_errno();
    // What is left of a message cannot be told from another one. 0 is what Debian's example hello_ll_uds returns after
    // it has written all, and the original takes that.
    return n == 0 || static_cast<size_t>(n) == whole ? Status(Unit{}) : Status(err(EIO));
  }
  void hang_up() override {}

 private:
  const fuse_custom_io io_;
  Fd fd_;
  void* const userdata_;
};

}  // namespace

ISTHMUS_EXPORT int fuse_session_mount(fuse_session* se, const char* mountpoint) {
  fill_standard_descriptors();
  auto point = fuse::open_mountpoint(mountpoint);
  if (!point) return told(point.problem());
  const fuse::MountOptions& o = se->options;
  std::string source = !o.fsname.empty() ? o.fsname : !o.subtype.empty() ? o.subtype : "/dev/fuse";
  if (o.auto_unmount) {
    auto keeper = fuse::Keeper::start();
    if (!keeper) return told(keeper.problem());
    se->keeper.emplace(std::move(*keeper));
  }
  uint32_t type = point->type;
  auto mounted = fuse::mount(std::move(*point), o, type, source, o.subtype);
  if (!mounted) return told(mounted.problem());
  if (se->keeper) static_cast<void>(se->keeper->arm(*mounted, true));
  se->fd = mounted->device.get();
  se->mounted = std::move(*mounted);
  return 0;
}

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
  if (fuse_session_mount(&se, mountpoint) != 0) return -1;
  int fd = se.mounted->device.release();
  se.mounted.reset();
  return fd;
}

ISTHMUS_EXPORT void fuse_session_unmount(fuse_session* se) {
  if (!se->mounted) return;
  se->close_door();
  auto mounted = std::move(*se->mounted);
  se->mounted.reset();
  mounted.device.reset();
  se->keeper.reset();
  if (mounted.by == fuse::MountedBy::somebody || mounted.id < 0) return;
  // Not whatever else may have been mounted there since.
  if (auto entry = fuse::mount_by_id(mounted.id); entry && entry->path == mounted.path)
    static_cast<void>(fuse::unmount_entry(*entry, fuse::UnmountHow::lazy));
}

ISTHMUS_EXPORT int fuse_session_custom_io(fuse_session* se, const fuse_custom_io* io, int fd) {
  if (fd < 0) {
    message(FUSE_LOG_ERR, "fuse: fuse_session_custom_io() was given the descriptor %d\n", fd);
    return -EBADF;
  }
  if (!io || !io->read || !io->writev) {
    message(FUSE_LOG_ERR, "fuse: fuse_session_custom_io() needs the functions read and writev\n");
    return -EINVAL;
  }
  se->transport = std::make_unique<CustomTransport>(*io, fd, se->program->userdata());
  se->fd = fd;
  se->custom = true;
  return 0;
}
