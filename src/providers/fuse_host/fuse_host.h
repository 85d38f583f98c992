#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/problem.h"
#include "providers/fuse_host/connection.h"
#include "vfs/provider.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse_host {

/// What is known of a daemon besides what it says itself.
struct Options {
  std::string source = "isthmus", type = "isthmus";  ///< Traits
  bool read_only = false;
  std::function<Status()> started = {};  ///< of start(): threads may run from now on
  std::function<void()> ended = {};      ///< it has closed its end by itself; called once, on a thread of ours
  std::shared_ptr<void> keep = {};       ///< let go when the connection has been closed
};

/// A FUSE daemon in another process as a file system: we are its kernel. Its node numbers and handles are passed on as
/// they are. It may answer late, wrongly or never; what takes too long is the volume's affair.
class FuseHost final : public Provider<FuseHost> {
 public:
  /// INIT. `device` is a socket (SOCK_SEQPACKET) whose other end the daemon reads as its /dev/fuse. No thread is
  /// started. `stop` is asked from time to time, and ends the wait with EINTR.
  static Expected<std::unique_ptr<FuseHost>> connect(Fd device, Options options, const std::function<bool()>& stop);

  /// The daemon's process, as the kernel says; 0: of another namespace.
  pid_t pid() const { return pid_; }

  Status start(Upcalls& up) override;
  void stop() override;
  Traits traits() const override;

  void lookup(Call<op::Lookup> c);
  void forget(Call<op::Forget> c);
  void getattr(Call<op::Getattr> c);
  void setattr(Call<op::Setattr> c);
  void readlink(Call<op::Readlink> c);
  void mknod(Call<op::Mknod> c);
  void mkdir(Call<op::Mkdir> c);
  void unlink(Call<op::Unlink> c);
  void rmdir(Call<op::Rmdir> c);
  void symlink(Call<op::Symlink> c);
  void rename(Call<op::Rename> c);
  void link(Call<op::Link> c);
  void open(Call<op::Open> c);
  void create(Call<op::Create> c);
  void read(Call<op::Read> c);
  void write(Call<op::Write> c);
  void copy_range(Call<op::CopyRange> c);
  void flush(Call<op::Flush> c);
  void release(Call<op::Release> c);
  void fsync(Call<op::Fsync> c);
  void fallocate(Call<op::Fallocate> c);
  void seek_hole(Call<op::SeekHole> c);
  void open_dir(Call<op::OpenDir> c);
  void read_dir(Call<op::ReadDir> c);
  void release_dir(Call<op::ReleaseDir> c);
  void fsync_dir(Call<op::FsyncDir> c);
  void statfs(Call<op::Statfs> c);
  void get_xattr(Call<op::GetXattr> c);
  void set_xattr(Call<op::SetXattr> c);
  void list_xattr(Call<op::ListXattr> c);
  void remove_xattr(Call<op::RemoveXattr> c);
  void access(Call<op::Access> c);
  void get_lock(Call<op::GetLock> c);
  void set_lock(Call<op::SetLock> c);
  void ioctl(Call<op::Ioctl> c);

 private:
  using Opcode = wire::fuse::Opcode;
  class Listing;
  class Reading;
  class Writing;

  FuseHost(Fd device, Options options) : options_(std::move(options)), connection_(std::move(device)) {}

  /// Asks, and runs `then(Call<T>, Result<Bytes>)` with the answer. An answer shorter than `least` bytes is EIO.
  template <class T, class F>
  void ask(Opcode opcode, NodeId node, Call<T> call, std::initializer_list<Bytes> parts, size_t least, F then);
  /// For answers without a body. ENOSYS: the default answers, from now on.
  template <class T>
  void ask_unit(Opcode opcode, NodeId node, Call<T> call, std::initializer_list<Bytes> parts);
  /// For those with an Entry.
  template <class T>
  void ask_entry(Opcode opcode, NodeId node, Call<T> call, std::initializer_list<Bytes> parts);
  void forget_node(uint64_t node, uint64_t count);
  void send_open(Call<op::Open> c);
  void on_news(int code, Bytes body);

  const Options options_;
  Connection connection_;
  std::atomic<uint64_t> flags_{0};  // agreed on
  size_t max_write_ = 4096;
  pid_t pid_ = 0;
};

}  // namespace isthmus::fuse_host
