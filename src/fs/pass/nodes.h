#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "fs/pass/mounts.h"
#include "vfs/node_table.h"

namespace isthmus::fs::pass {

/// A known file. It pins no descriptor: it is opened again by kernel handle or, where there is none, by a name in a
/// known directory, and then checked to be the same file. Only a file that lost its last known name holds one (`keep`).
struct Node {
  Node(FileKey k, uint32_t t, KernelHandle h, std::shared_ptr<const Mount> m, Time b)
      : key(k), type(t), handle(std::move(h)), mount(std::move(m)), btime(b) {}

  const FileKey key;
  const uint32_t type;  ///< S_IFMT bits
  NodeId id{};
  uint32_t generation = 0;
  const KernelHandle handle;                 ///< empty: found by name
  const std::shared_ptr<const Mount> mount;  ///< null: found by name
  const Time btime;
  std::atomic<bool> verified{false};  ///< handle was seen to open the file of `key`
  /// What others change in it is heard, as it is the only node of its file and can be found by what the news tells.
  std::atomic<bool> watched{false};
  std::atomic<uint32_t> pins{0};  ///< children located through it, and operations that found it by key

  /// Which extended attributes it is known not to have (XattrNames, the low half), and how often they have changed:
  /// what was found out before a change must not be remembered after it.
  using Marks = uint64_t;
  Marks marks() const { return marks_.load(std::memory_order_relaxed); }
  static bool lacks(Marks marks, uint32_t names) { return (marks & names) != 0; }
  /// `seen`: as marks() was before the file was asked.
  void set_lacks(Marks seen, uint32_t names) {
    for (Marks now = seen;
         now >> 32 == seen >> 32 && !marks_.compare_exchange_weak(now, now | names, std::memory_order_relaxed);) {
    }
  }
  /// An attribute may have got a value.
  void changed() {
    for (Marks was = marks(); !marks_.compare_exchange_weak(was, ((was >> 32) + 1) << 32, std::memory_order_relaxed);) {
    }
  }

  // Guarded by the shard of `key`.
  bool hashed = false;
  NodeId parent = NodeId::none;  ///< by name: pinned. By handle: where it was seen last, perhaps forgotten by now
  std::string name;              ///< by name only
  SharedFd keep;                 ///< it has no name (that we know) any more
  std::weak_ptr<const Fd> open;  ///< an open file of it, for use instead of a path descriptor
  uint64_t seen_as = 0;          ///< fingerprint of size and times when it was last opened or closed; 0: none

  bool by_handle() const { return mount != nullptr; }

 private:
  std::atomic<Marks> marks_{0};
};

/// All nodes, by id and by file. Lookup counts are exact: entering and forgetting happen under the shard's lock.
/// Lock order: a shard, then the node table's or the descriptor cache's own lock; never two shards.
class Nodes {
 public:
  /// The folder itself becomes NodeId::root and is kept open.
  /// watch: may be null (Mounts::start); outlives this.
  Status start(SharedFd root, bool handles, size_t max_fds, Watch* watch);

  Result<Node*> get(NodeId id, Op op) const { return table_.get(id, op); }
  Node* find(NodeId id) const { return table_.find(id); }
  bool with_handles() const { return mounts_.handles(); }
  uint64_t root_dev() const { return root_dev_; }
  size_t size() const { return table_.size(); }
  FdCache& fds() { return fds_; }
  const Mounts& mounts() const { return mounts_; }

  /// The node of what was seen as `name` in `dir_fd`, one lookup counted. parent: where it is to be found again.
  Node& enter(Node& parent, int dir_fd, const char* name, Look&& look);
  /// The same for an open file whose name is not known, or which has none.
  Node& enter_open(const SharedFd& fd, Look&& look);
  /// A node has no name; `fd` is all that keeps its file.
  void nameless(Node& n, const SharedFd& fd);
  /// A node got a name.
  void named(Node& n, Node& parent, const char* name);
  /// Counts one more lookup of a node that the caller holds, after it got a (new) name.
  void enter_again(Node& n, Node& parent, const char* name);
  void count(Node& n) { table_.add_lookup(n.id); }
  void forget(NodeId id, uint64_t n);

  /// An O_PATH descriptor (or a better one) of the node. ESTALE: the store has it no more.
  Result<SharedFd> path(Node& n);
  /// The file opened with `flags` (see safe_flags). Only regular files and directories are ever opened.
  /// reopen: permissions must be checked for the identity that `switch_in` (called just before) takes on.
  template <class SwitchIn>
  Result<SharedFd> open_as(Node& n, int flags, SwitchIn switch_in) {
    auto p = path(n);
    if (!p) return p.error();
    auto as = switch_in();
    if (!as) return as.error();
    return reopen(**p, flags);
  }
  Result<SharedFd> open(Node& n, int flags);
  /// A descriptor to read from or to write to the regular file `n`, with the server's own rights; it stays open for
  /// the next time.
  Result<SharedFd> data(Node& n, Use use);
  /// Keeps what data() would open.
  void keep_data(Node& n, const SharedFd& fd, Use use);

  /// Keeps a node that was found by file, not by id, alive.
  class Pinned {
   public:
    Pinned() = default;
    Pinned(Nodes& all, Node& n) : all_(&all), n_(&n) {}
    Pinned(Pinned&& o) noexcept : all_(o.all_), n_(std::exchange(o.n_, nullptr)) {}
    Pinned& operator=(Pinned&&) = delete;
    ~Pinned() {
      if (n_) all_->unpin(*n_);
    }
    Node* get() const { return n_; }

   private:
    Nodes* all_ = nullptr;
    Node* n_ = nullptr;
  };
  /// Null inside when the file is not known.
  Pinned find_file(const Look& look);
  /// The watched file with this handle in the store of device `dev`.
  Pinned find_handle(uint64_t dev, const KernelHandle& handle);
  /// Nothing is known any more of the nodes in one of kShards parts: their numbers.
  std::vector<NodeId> doubt(size_t part);
  static constexpr size_t kShards = 64;

  /// A name is about to go: what must be remembered of the file that may lose its last one.
  struct Victim {
    Pinned node;
    SharedFd fd;
    bool last = false;  ///< the name is its only one
  };
  Victim before_removal(int dir_fd, const char* name);
  static bool is_at(const Victim& v, int dir_fd, const char* name);
  /// The name went. The node stays usable without one until it is forgotten.
  void after_removal(Victim& v, Node& dir, const char* name);
  /// A file found by name moved.
  void after_move(int dir_fd, Node& to_dir, const char* to_name);

  void opened(Node& n, const SharedFd& fd);
  /// Swaps the fingerprint; the answer is the former one.
  uint64_t swap_seen(Node& n, uint64_t fingerprint);
  NodeId parent_of(Node& n);

 private:
  struct KeyHash {
    size_t operator()(const FileKey& k) const { return k.ino * 0x9e3779b97f4a7c15u ^ (k.dev << 7) ^ k.ino >> 29; }
  };
  struct alignas(64) Shard {
    std::mutex m;
    std::unordered_map<FileKey, Node*, KeyHash> files;
  };
  Shard& shard(const FileKey& k) { return shards_[KeyHash{}(k) % kShards]; }

  static bool same_file(const Node& n, const Look& look, const Mount* mount);
  Node& find_or_make(Shard& s, Look&& look, std::shared_ptr<const Mount> mount);
  Node& make(Shard& s, Look&& look, std::shared_ptr<const Mount> mount);
  void place(Node& n, Node& parent, const char* name, NodeId& unpin_later, SharedFd& close_later);
  void unpin(Node& n);
  void unpin(NodeId id);
  void erase_if_unused(FileKey key, NodeId id);
  NodeId erase_locked(Shard& s, Node& n, SharedFd& close_later);
  Result<SharedFd> open_by_name(Node& n);
  Result<SharedFd> reopen(const Fd& path, int flags);
  /// ESTALE unless `fd` is the file of `n`.
  Status verify(Node& n, const Fd& fd);

  NodeTable<Node> table_;
  std::array<Shard, kShards> shards_;
  FdCache fds_;
  Mounts mounts_;
  Watch* watch_ = nullptr;
  uint64_t root_dev_ = 0;
};

/// open(2) flags as far as they concern the store: how to create or resolve, O_DIRECT and O_APPEND (which is honoured
/// write by write) are dropped.
int safe_flags(uint32_t flags);

}  // namespace isthmus::fs::pass
