#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/problem.h"
#include "providers/userfs_host/connection.h"
#include "vfs/provider.h"

namespace isthmus::userfs_host {

/// Two descriptors to a process: what it says is read from `in`. They may be the same open file.
struct Peer {
  Fd in, out;
  std::shared_ptr<void> keep = {};     ///< let go when the connection has been closed
  std::function<void()> started = {};  ///< called when threads may be made
};

struct Options {
  /// Makes the peer: starts the program, connects. Called once, and again for a restart, on a thread of ours then.
  std::function<Expected<Peer>()> open;
  std::string name;           ///< what it is, for messages and mount tables
  std::string mount_options;  ///< told to the process
  bool read_only = false;
  bool restart = false;                ///< opened again when it has ended
  uint32_t timeout_ms = 0;             ///< of every request but those that wait for others; 0: none
  uint32_t mount_timeout_ms = 30'000;  ///< until it has answered the mount and what belongs to it
};

/// What a peer did that is worth a number.
struct Mistakes {
  uint64_t bad_names = 0;    ///< dropped from listings
  uint64_t no_links = 0;     ///< nlink 0 of a file with a name, taken for 1
  uint64_t bad_answers = 0;  ///< EIO instead: too long, too short, or saying what cannot be
  uint64_t restarts = 0;
};

/// A process that answers packets, as a file system: we are its kernel (docs/userfs.md). It may answer late, wrongly or
/// never; once it is gone everything answers EIO, or waits for the restart.
class UserfsHost final : public Provider<UserfsHost> {
 public:
  /// What does not fit into the pipe at once is sent by a thread of ours.
  static constexpr auto kBlocking = Blocking::never_blocks;
  /// Opens the peer and mounts it. No thread is started. `stop` is asked from time to time, and ends the wait with
  /// EINTR.
  static Expected<std::unique_ptr<UserfsHost>> connect(Options options, const std::function<bool()>& stop);
  ~UserfsHost() override;

  Mistakes mistakes() const;

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
  void set_lease(Call<op::SetLease> c);
  void ioctl(Call<op::Ioctl> c);
  void poll(Call<op::Poll> c);
  void watch(Call<op::Watch> c);
  void unwatch(Call<op::Unwatch> c);
  void get_reparse(Call<op::GetReparse> c);
  void set_reparse(Call<op::SetReparse> c);
  void list_streams(Call<op::ListStreams> c);
  void get_acl(Call<op::GetAcl> c);
  void set_acl(Call<op::SetAcl> c);
  void node_to_export(Call<op::NodeToExport> c);
  void export_to_node(Call<op::ExportToNode> c);
  void open_query(Call<op::OpenQuery> c);
  void read_query(Call<op::ReadQuery> c);

 private:
  template <Opcode O>
  using In = typename packets::Body<O>::Request;
  template <Opcode O>
  using Out = typename packets::Body<O>::Reply;
  template <Opcode O>
  using Undo = std::function<void(const Out<O>&)>;
  class Reading;
  class Writing;
  class Listing;
  enum class State : uint8_t { up, restarting, dead };
  enum class Kind : uint8_t { file, folder, query, watch };
  /// Of an open file, for a restart: how to open it again, and what it is called now.
  struct Reopen {
    Kind kind{};
    uint32_t handle = 0, flags = 0, fh = 0;
    bool subtree = false, lost = false;
    uint32_t life = 0;
  };
  /// An operation that waits for the restart.
  struct Parked {
    void* pending;
    void (*run)(UserfsHost&, void*);
    void (*fail)(void*);
  };

  explicit UserfsHost(Options options) : options_(std::move(options)) {}

  // life.cpp
  Expected<std::shared_ptr<Connection>> begin(const std::function<bool()>& stop);
  Expected<Unit> ask_enquiries(Connection& c, const std::function<bool()>& stop);
  Expected<Unit> ask_terms(Connection& c, const std::function<bool()>& stop);
  Status begin_threads(const std::shared_ptr<Connection>& c);
  void ended(std::string_view why);
  void keep_alive();
  bool restart();
  bool stopping() const;
  void reopen(Connection& c);
  void settle(State state);
  void ask_news();
  void on_news(const packets::NewsReply& news);
  void pass_news_on();
  void send_due(std::unique_lock<std::mutex>& lock);
  void tell_news(uint32_t life, const packets::NewsItem& item, const std::string& name);

  /// The session that an operation is asked in: what it is converted for is what it is sent to.
  struct Now {
    uint32_t handle(NodeId node);
    packets::Name name(std::string_view name);
    uint32_t fh(HandleId handle);
    UserfsHost* host = nullptr;
    std::shared_ptr<Connection> connection;
    uint32_t life = 0;
    Errno error{};  ///< why it cannot be asked
  };
  /// None: it was answered, or waits for the restart.
  template <class T>
  std::optional<Now> present(Call<T>& call);

  /// Asks, and runs `then(Call<T>, Result<Out<O>>)` with the answer; a body that is none is EIO. ENOSYS: the default
  /// answers, from now on, but for what has none. undo: of an answer that came when nobody waited any longer.
  template <Opcode O, class T, class F>
  void ask(const Now& now, Call<T> call, const In<O>& in, F then, Undo<O> undo = {}, bool patient = false);
  template <Opcode O, class T>
  void ask_unit(const Now& now, Call<T> call, const In<O>& in);
  template <Opcode O, class T>
  void ask_entry(const Now& now, Call<T> call, const In<O>& in);
  template <Opcode O, class T>
  void ask_created(const Now& now, Call<T> call, const In<O>& in);
  template <Opcode O, class T>
  void ask_opened(const Now& now, Call<T> call, const In<O>& in, Kind kind);
  /// Says something that nobody waits for.
  template <Opcode O>
  void tell(const Now& now, const In<O>& in, std::function<void()> heard = {});

  bool supports(Opcode op) const { return supported_.load(std::memory_order_relaxed) >> static_cast<uint32_t>(op) & 1; }
  NodeId node_of(uint32_t life, uint32_t handle) const;
  HandleId add_open(uint32_t life, const Reopen& open);
  void forget_open(HandleId handle);
  Result<Entry> entry_of(const Now& now, const packets::Entry& w, bool named = true);
  Errno bad_answer();
  void give_back(const Now& now, uint32_t handle, uint64_t count = 1);
  void expect_given();
  void send_given(const Now& now, bool few);
  void made(NodeId node);
  bool was_just_made(NodeId node);
  size_t most_data() const { return most_data_.load(std::memory_order_relaxed); }

  static constexpr size_t kGivenTogether = 64;
  static constexpr int64_t kGivenNs = 100'000'000, kMadeNs = 1'000'000'000;

  const Options options_;
  static_assert(wire::userfs::kOpcodeEnd <= 64);
  std::atomic<uint64_t> supported_{0};  // by operation
  std::atomic<uint32_t> life_{0};       // how many sessions there were; of the present one
  std::atomic<uint32_t> root_{0};       // its handle
  std::atomic<size_t> most_data_{wire::userfs::kMostData};
  std::atomic<bool> handles_last_{false};
  Traits terms_;
  std::atomic<uint64_t> bad_names_{0}, no_links_{0}, bad_answers_{0}, restarts_{0};

  mutable std::mutex m_;  // guards what follows; a leaf
  State state_ = State::up;
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<void> keep_;  // the peer's
  std::function<void()> peer_started_;
  std::vector<Parked> parked_;
  std::unordered_map<uint64_t, Reopen> opens_;  // by HandleId, where there may be a restart
  uint64_t last_open_ = 0;
  std::vector<packets::Given> given_;  // to be told, when iput has been answered
  int64_t given_due_ = 0;              // when they go, however few; 0: that is not settled
  bool iput_asked_ = false, stopping_ = false, ended_ = false;
  struct Made {
    NodeId node = NodeId::none;
    int64_t until = 0;
  };
  std::array<Made, 64> made_;  // by number; see was_just_made()
  std::condition_variable changed_;
  struct NewsOwned {
    packets::NewsItem item;
    std::string name;
  };
  std::vector<NewsOwned> news_;
  bool news_come_ = false;
  uint32_t news_life_ = 0;
  std::thread keeper_, passing_;  // restarts; tells news
};

}  // namespace isthmus::userfs_host
