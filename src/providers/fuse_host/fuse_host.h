#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "base/problem.h"
#include "providers/fuse_host/connection.h"
#include "providers/fuse_host/nodes.h"
#include "vfs/lock_table.h"
#include "vfs/provider.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse_host {

/// What is known of a daemon besides what it says itself: what it has given mount(2), mostly.
struct Options {
  std::string source = "isthmus", type = "isthmus";  ///< Traits
  bool read_only = false;
  bool default_permissions = true;  ///< false: the daemon judges who may do what
  bool allow_other = true;          ///< false: only `owner` may come in
  bool allow_root = false;          ///< besides the owner
  uint32_t owner = static_cast<uint32_t>(geteuid());
  bool block_device = false;  ///< fuseblk: BMAP is asked
  size_t max_read = 0;        ///< bytes; 0: as many as an answer may have
  size_t most_answer = 0;     ///< the longest message the daemon's end of the device takes (device.h); 0: not known
  std::chrono::milliseconds request_timeout{
      0};  ///< a daemon that lets a request wait longer is taken for dead; 0: none
  std::chrono::milliseconds destroy_wait{30'000};  ///< for its answer to DESTROY
  std::function<Status()> started = {};            ///< of start(): threads may run from now on
  std::function<void()> ended = {};  ///< it has closed its end by itself; called once, on a thread of ours
  std::shared_ptr<void> keep = {};   ///< let go when the connection has been closed
};

/// A FUSE daemon in another process as a file system: we are its kernel, by the rules of Linux's own driver
/// (docs/fuse_host.md). It may answer late, wrongly or never; what takes too long is the volume's affair.
class FuseHost final : public Provider<FuseHost> {
 public:
  /// INIT. `device` is a socket (SOCK_SEQPACKET) whose other end the daemon reads as its /dev/fuse. No thread is
  /// started. `stop` is asked from time to time, and ends the wait with EINTR.
  static Expected<std::unique_ptr<FuseHost>> connect(Fd device, Options options, const std::function<bool()>& stop);

  /// The same for the daemon of a character device, whose /dev/cuse the socket is. What there is of a tree around it is
  /// CuseHost's (cuse_host.h): only operations of the one node's open files are to come here.
  struct CharacterDevice {
    std::string name;
    NodeId node{};
    bool unrestricted_ioctls = false;  ///< the daemon may read and write any of the caller's memory
  };
  static Expected<std::unique_ptr<FuseHost>> connect_device(Fd device, Options options,
                                                            const std::function<bool()>& stop);
  /// Of connect_device().
  const CharacterDevice& character_device() const { return *cuse_; }

  /// The daemon's process, as the kernel says; 0: of another namespace.
  pid_t pid() const { return pid_; }
  /// What was agreed on by INIT.
  uint32_t minor() const { return minor_; }
  uint64_t flags() const { return flags_.load(std::memory_order_relaxed); }
  size_t most_write() const { return most_write_; }
  size_t most_read() const { return most_read_; }
  /// Nobody is to check modes before: it was mounted without default_permissions. ACLs are obeyed by whoever reads
  /// them, which is never the daemon (fuse_fill_super_common() in fs/fuse/inode.c).
  bool judges_itself() const { return !options_.default_permissions && !has(wire::fuse::kInitPosixAcl); }
  /// After stop(): the daemon has answered DESTROY.
  bool destroyed() const { return destroyed_; }
  /// Messages of the daemon's that a kernel would have refused.
  uint64_t refused() const { return connection_.refused(); }
  /// How many requests of that kind the daemon was sent.
  uint64_t requests(wire::fuse::Opcode opcode) const { return connection_.requests(opcode); }

  Status start(Upcalls& up) override;
  /// Gives the last lookups back, has the daemon write out what it keeps (DESTROY), and closes the connection.
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
  void tmpfile(Call<op::Tmpfile> c);
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
  void sync(Call<op::Sync> c);
  void get_xattr(Call<op::GetXattr> c);
  void set_xattr(Call<op::SetXattr> c);
  void list_xattr(Call<op::ListXattr> c);
  void remove_xattr(Call<op::RemoveXattr> c);
  void access(Call<op::Access> c);
  void get_lock(Call<op::GetLock> c);
  void set_lock(Call<op::SetLock> c);
  void ioctl(Call<op::Ioctl> c);
  void poll(Call<op::Poll> c);
  void bmap(Call<op::Bmap> c);
  void node_to_export(Call<op::NodeToExport> c);
  void export_to_node(Call<op::ExportToNode> c);

 private:
  friend class HostTest;  // whose daemons may have no opens

  using Opcode = wire::fuse::Opcode;
  using Parts = std::initializer_list<Bytes>;
  class Listing;
  class ReadAhead;
  class Reading;
  class Writing;
  class Extension;

  /// An open file or directory of the daemon's.
  struct Handle {
    uint64_t fh = 0;
    uint32_t flags = 0;                     ///< of open(2)
    uint32_t open_flags = 0;                ///< kFopen...
    std::shared_ptr<ReadAhead> ahead = {};  ///< null: nothing of it is read before it is asked for
  };
  /// How long a good answer's body is.
  struct Size {
    size_t least = 0, most = 0;
  };
  template <class T>
  static constexpr Size exactly() {
    return {sizeof(T), sizeof(T)};
  }
  static constexpr Size up_to(size_t most) { return {0, most}; }

  FuseHost(Fd device, Options options) : options_(std::move(options)), connection_(std::move(device)) {}
  void agree(const wire::fuse::InitOut& out);
  void agree_on_sizes(size_t max_read, size_t max_write, size_t pages);
  void drop_what_it_lacks();

  /// Asks, and runs `then(Call<T>, Result<Bytes>)` with the answer. An operation that the daemon has said, or must be
  /// taken to have said, that it does not have is ENOSYS without a question.
  template <class T, class F>
  void ask(Opcode opcode, NodeId node, Call<T> call, Parts parts, Size size, F then);
  /// The same for a node by the daemon's number, which need not be known. `extension`: of the last part.
  template <class T, class F>
  void ask_of(Opcode opcode, uint64_t node, Call<T> call, Parts parts, Size size, F then, size_t extension = 0);
  /// For answers without a body.
  template <class T>
  void ask_unit(Opcode opcode, NodeId node, Call<T> call, Parts parts);
  /// The same. ENOSYS: the default answers, from now on.
  template <class T>
  void ask_optional(Opcode opcode, NodeId node, Call<T> call, Parts parts);
  /// For those with an Entry of that type (S_IFMT; 0: any).
  template <class T>
  void ask_entry(Opcode opcode, NodeId dir, Call<T> call, Parts parts, uint32_t type, const Extension* extension);
  template <class T>
  void ask_created(Opcode opcode, Call<T> call, Parts parts, const Extension& extension, uint32_t flags);

  /// Why a request is not sent; Errno{}: it is.
  Errno refusal(Opcode opcode, const Context& ctx, size_t length) const;
  bool lacks(Opcode opcode) const {
    return absent_.load(std::memory_order_relaxed) >> static_cast<uint32_t>(opcode) & 1;
  }
  void note_absent(Opcode opcode);
  bool has(uint64_t init_flag) const { return (flags() & init_flag) != 0; }

  Size entry_size() const;
  Size attr_size() const;
  /// The node of an entry, its lookup counted; or EIO, and the lookup is given back. `name`: in its parent; may be
  /// empty.
  Result<Entry> take_entry(const wire::fuse::EntryOut& out, uint64_t parent, uint32_t type, std::string_view name);
  /// Attributes of a node; a bad node, and EIO, if they are of another type.
  Result<Attributes> take_attributes(NodeId node, const wire::fuse::AttrOut& out);
  Result<Attributes> take_statx(NodeId node, const wire::fuse::StatxOut& out);
  HandleId add_handle(const wire::fuse::OpenOut& out, uint32_t flags);
  /// Of one that was opened by that request. HandleId::none is good only where the daemon lacks it; else EBADF.
  Result<Handle> find_handle(HandleId handle, Opcode by, uint32_t flags = 0) const;
  /// HandleId::none: no open file is meant.
  Result<Handle> find_handle(HandleId handle) const;
  Result<Handle> end_handle(HandleId handle);
  void release_unused(uint64_t node, const wire::fuse::OpenOut& out, uint32_t flags);
  uint32_t mode_for_daemon(const Context& ctx, uint32_t mode) const;
  uint32_t umask_for_daemon(const Context& ctx) const;
  void read_now(Call<op::Read> c);
  void release_now(Call<op::Release> c, const Handle& handle);
  /// Its data is another, by us or by what the daemon tells: before and after.
  void data_changes(NodeId node);
  size_t read_at_once(size_t wanted, bool& probes);
  void probed(size_t got);

  void ask_getattr(Call<op::Getattr> c);
  void ask_statx(Call<op::Getattr> c);
  void truncate_opened(Call<op::Open> c, Opened o);
  void write_at(Call<op::Write> c, uint64_t offset);
  void copy(Opcode opcode, Call<op::CopyRange> c);
  Errno xattr_error(Errno e);
  template <class T>
  void ask_xattr(Opcode opcode, Call<T> call, Parts parts);
  bool locks_are_ours(bool whole_file) const;
  void arm_poll(HandleId handle, NodeId node);
  void disarm_poll(HandleId handle);
  void poll_ready(uint64_t kh);
  bool on_news(int code, Bytes body);
  bool on_retrieve(Bytes body);
  bool on_prune(Bytes body);

  const Options options_;
  Connection connection_;
  Nodes nodes_;
  std::atomic<size_t> read_ahead_bytes_{0};
  NodeTable<Handle> handles_;
  LockTable locks_;  // what the daemon leaves to us
  std::mutex polls_m_;
  std::unordered_map<HandleId, NodeId> polls_;  // of which news is wanted
  std::atomic<uint64_t> flags_{0};              // agreed on
  std::atomic<uint64_t> absent_{0};             // operations that the daemon has not, by opcode
  std::atomic<bool> has_xattrs_{false};         // it has said so of a file
  enum class Whole : uint8_t { unknown, probing, yes, no };
  std::atomic<Whole> long_answers_{Whole::unknown};  // whether they come in one message
  uint32_t minor_ = wire::fuse::kMinor, time_granularity_ = 1;
  size_t most_write_ = 4096, most_read_ = 4096;
  size_t most_request_ = wire::fuse::kMinReadBuffer;  // what the daemon reads at once
  std::chrono::milliseconds request_timeout_{0};
  std::optional<CharacterDevice> cuse_;
  pid_t pid_ = 0;
  bool started_ = false, destroyed_ = false;
};

}  // namespace isthmus::fuse_host
