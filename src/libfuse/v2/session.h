#pragma once
#include <memory>
#include <optional>

#include "libfuse/common/fuse.h"
#include "libfuse/common/mount.h"
#include "libfuse/common/session.h"
#include "providers/libfuse/v2/structs.h"

namespace isthmus::libfuse::v2 {

/// Where messages come from and go to: the kernel's device, or functions of the program.
struct fuse_chan {
  /// The program's. Of those only one is used; without receive(): the device.
  fuse_chan_ops op{};
  fuse_chan_ops_compat24 before_2_6{};
  int fd = -1;
  size_t bufsize = 0;
  void* data = nullptr;
  fuse_session* session = nullptr;
  // Of the device.
  std::optional<Mount> mount;
  isthmus::fuse::MountOptions options;

  bool is_device() const { return !op.receive && !before_2_6.receive; }
};

/// Bytes of the longest request: 128 KiB of data and what comes before it.
constexpr size_t kMaxWrite = size_t{128} << 10;
constexpr size_t kChanBufsize = kMaxWrite + 4096;
/// Of a loop: as many as it takes, since callbacks may wait for each other.
constexpr unsigned kMaxThreads = 256;

/// A session of a program's file system, or one that passes every message to functions of the program.
struct fuse_session {
  ::fuse_session* core = nullptr;
  std::unique_ptr<::fuse_session> own;  // `core`, unless it belongs to a struct fuse
  std::optional<fuse_session_ops> op;   // the program's; then `core` serves nothing
  void* data = nullptr;
  fuse_chan* chan = nullptr;
};

struct fuse {
  std::unique_ptr<::fuse> core;
  fuse_session session;
};

/// Takes the options of a session and of fuse_conn_info out of the arguments, of which none may remain. Null: an error,
/// which has been told.
std::unique_ptr<::fuse_session> make_session(fuse_args& args, std::unique_ptr<Program> program);
bool is_session_option(const char* option);
/// "-o options" as arguments, to be freed by free_args() in any case. False: no memory.
bool arguments_of(const char* options, fuse_args& args);

/// Mounts as the arguments say, and takes those out. Null: an error, which has been told.
fuse_chan* mount(const char* mountpoint, fuse_args& args);
/// That of a descriptor which a function of before 2.6 gave out.
fuse_chan* channel_of_descriptor(int fd);
/// A device; the descriptor is the channel's now.
fuse_chan* device_channel(int fd);
void add_channel(fuse_session& se, fuse_chan& ch);
void remove_channel(fuse_chan& ch);
void destroy_channel(fuse_chan* ch);
/// `ch` may be null.
void unmount(const char* mountpoint, fuse_chan* ch);
/// One message into memory. Bytes; 0: the end; or -errno.
int receive(fuse_chan*& ch, MutableBytes into);

/// What loops of version 2 return.
inline int loop_result(int result) { return result < 0 ? -1 : 0; }

}  // namespace isthmus::libfuse::v2
