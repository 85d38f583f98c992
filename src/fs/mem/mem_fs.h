#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "fs/mem/inode.h"
#include "fs/mem/options.h"
#include "fs/mem/space.h"
#include "vfs/lock_table.h"
#include "vfs/node_table.h"
#include "vfs/permissions.h"
#include "vfs/provider.h"

namespace isthmus::fs::mem {

/// A complete POSIX file system in memory, gone with its object (docs/mem.md). Behaves as Linux's tmpfs where POSIX
/// leaves a choice. Operations run on any number of threads; none sleeps but for short locks (their order: inode.h),
/// and a lock that must wait is answered later.
class MemFs final : public Provider<MemFs> {
 public:
  static constexpr auto kBlocking = Blocking::never_blocks;

  explicit MemFs(MemOptions options = {});
  ~MemFs() override;
  Traits traits() const override;

  // names.cpp
  Result<Entry> lookup(const Context&, const op::Lookup&);
  Result<Entry> mknod(const Context&, const op::Mknod&);
  Result<Entry> mkdir(const Context&, const op::Mkdir&);
  Result<Entry> symlink(const Context&, const op::Symlink&);
  Result<Entry> link(const Context&, const op::Link&);
  Result<Created> tmpfile(const Context&, const op::Tmpfile&);
  Result<Created> create(const Context&, const op::Create&);
  // remove.cpp
  Result<Unit> unlink(const Context&, const op::Unlink&);
  Result<Unit> rmdir(const Context&, const op::Rmdir&);
  // rename.cpp
  Result<Unit> rename(const Context&, const op::Rename&);
  // attributes.cpp
  Result<Attributes> getattr(const Context&, const op::Getattr&);
  Result<Attributes> setattr(const Context&, const op::Setattr&);
  Result<Unit> access(const Context&, const op::Access&);
  Result<StatFs> statfs(const Context&, const op::Statfs&);
  // files.cpp
  Result<Opened> open(const Context&, const op::Open&);
  Result<Unit> flush(const Context&, const op::Flush&);
  Result<Unit> release(const Context&, const op::Release&);
  Result<Unit> fsync(const Context&, const op::Fsync&);
  Result<Unit> sync(const Context&, const op::Sync&);
  Result<Buffer> read(const Context&, const op::Read&);
  Result<size_t> write(const Context&, const op::Write&);
  Result<std::string> readlink(const Context&, const op::Readlink&);
  // ranges.cpp
  Result<uint64_t> copy_range(const Context&, const op::CopyRange&);
  Result<Unit> fallocate(const Context&, const op::Fallocate&);
  Result<uint64_t> seek_hole(const Context&, const op::SeekHole&);
  // listing.cpp
  Result<Opened> open_dir(const Context&, const op::OpenDir&);
  Result<Unit> read_dir(const Context&, const op::ReadDir&);
  Result<Unit> release_dir(const Context&, const op::ReleaseDir&);
  Result<Unit> fsync_dir(const Context&, const op::FsyncDir&);
  // xattrs.cpp
  Result<std::string> get_xattr(const Context&, const op::GetXattr&);
  Result<Unit> set_xattr(const Context&, const op::SetXattr&);
  Result<std::vector<std::string>> list_xattr(const Context&, const op::ListXattr&);
  Result<Unit> remove_xattr(const Context&, const op::RemoveXattr&);
  // services.cpp
  Result<Unit> forget(const Context&, const op::Forget&);
  Result<Lock> get_lock(const Context&, const op::GetLock&);
  void set_lock(Call<op::SetLock>);
  Result<HandleId> watch(const Context&, const op::Watch&);
  Result<Unit> unwatch(const Context&, const op::Unwatch&);
  Result<ExportHandle> node_to_export(const Context&, const op::NodeToExport&);
  Result<Entry> export_to_node(const Context&, const op::ExportToNode&);
  Result<IoctlReply> ioctl(const Context&, const op::Ioctl&);

  /// For tests.
  const Space& space() const { return space_; }
  const LockTable& locks() const { return locks_; }
  size_t inodes() const { return nodes_.size(); }

 private:
  using Shared = std::shared_lock<RwLock>;
  using Unique = std::unique_lock<RwLock>;
  using Nodes = NodeTable<Inode>;
  static NodeId id_of(const Inode& n) { return Nodes::id_of(n); }
  /// An open file or directory; holds a reference of its node.
  struct Open {
    Open(Inode& n, uint32_t f, uint64_t e) : node(&n), flags(f), end(e) {}
    Inode* node;
    uint32_t flags;             // open(2)
    std::atomic<uint64_t> end;  // directories: names made after the last rewind are not shown
  };
  struct Watch {
    Inode* node;  // referenced
    uint32_t what;
    bool subtree;
  };
  /// How a new node is to be.
  struct Birth {
    uint32_t mode = 0;
    Inode::Body body;
    std::span<const op::Label> labels;
  };

  // References (inode.h). hold: whoever calls knows that one is counted already.
  static void hold(Inode& n, uint64_t count = 1) { Nodes::add_lookup(n, count); }
  void drop(Inode& n, uint64_t count = 1);
  /// A node known by its number only, with a reference for the caller, or null.
  Inode* revive(NodeId id);
  Result<Inode*> find(NodeId id, Op op) const { return nodes_.get(id, op); }
  Result<Inode*> find_dir(NodeId id, Op op) const;
  Result<Inode*> find_file(NodeId id, Op op) const;
  /// Null for none; EBADF for a handle that is not (or no longer) one of this node.
  Result<Open*> find_handle(HandleId h, const Inode& n) const;
  Opened make_handle(Inode& n, uint32_t flags, uint64_t end);
  void drop_handle(HandleId h);

  // With the inode locked.
  Attr attr_of(const Inode& n) const;
  /// Does reading with these open flags change the time of access?
  bool atime_is_due(const Inode& n, uint32_t flags) const;
  static Guard guard_of(const Inode& n) { return {n.mode, n.uid, n.gid, n.access_acl()}; }
  static Status check(const Context& ctx, const Inode& n, uint32_t want);
  static void changed(Inode& n, Time now) { n.mtime = n.ctime = now; }
  static void kill_privileges(const Context& ctx, Inode& n, bool asked);
  Payer payer(const Inode& n) { return {space_, n.uid}; }
  Status may_change(const Inode& n) const;
  Status resize(Inode& n, uint64_t size);
  Status open_checks(const Context& ctx, const Inode& n, uint32_t flags) const;

  // With no lock held; n referenced by the caller.
  Entry entry_of(Inode& n);
  void count(Inode& n) {
    hold(n);
    n.lookups.fetch_add(1, std::memory_order_relaxed);
  }
  void touch_atime(Inode& n, uint32_t flags);
  void set_atime(Inode& n);
  /// Access checks for reads and writes through no handle.
  Status check_io(const Context& ctx, const Inode& n, HandleId h, uint32_t want) const;

  /// unlink and rmdir; op says which.
  Result<Unit> remove_name(const Context& ctx, NodeId dir, std::string_view name, Op op);

  // Making and removing names, with the directory locked (Unique).
  Status may_add(const Context& ctx, const Inode& dir, const HashedName& name, Dirent** existing) const;
  Result<Inode*> give_birth(const Context& ctx, Inode& dir, Birth birth, uint32_t references);
  void abort_birth(Inode& n);
  Result<Inode*> make(const Context& ctx, Inode& dir, const HashedName& name, Birth birth);
  Result<Entry> make_entry(const Context& ctx, NodeId dir, std::string_view name, Op op, Birth birth);
  void set_place(Inode& n, Inode* dir, uint64_t cookie);
  void clear_place(Inode& n, const Inode& dir, uint64_t cookie);
  Result<Created> open_existing(const Context& ctx, Inode& n, const op::Create& a);

  struct Renaming;
  Status rename_checks(const Context& ctx, const Renaming& r) const;
  Status rename_move(const Context& ctx, Renaming& r, std::vector<Inode*>& gone);
  void rename_exchange(Renaming& r);
  static bool is_below(const Inode* n, const Inode* top);

  Status set_acl_locked(const Context& ctx, Inode& n, std::string_view name, Bytes value, bool kill_sgid);
  Status set_plain_xattr(Inode& n, std::string_view name, Bytes value, int flags);
  void remove_plain_xattr(Inode& n, std::string_view name);

  // Tells watchers; no lock held, nodes referenced.
  void notify(Inode& dir, std::string_view name, uint32_t what);
  void notify_node(Inode& n, uint32_t what);
  bool watching() const { return watch_count_.load(std::memory_order_relaxed) != 0; }
  uint32_t wanted(Inode& dir, uint32_t what);

  const MemOptions options_;
  const uint32_t self_uid_, self_gid_;  // of callers nobody knows
  const uint64_t generation_;           // differs between objects: export handles of an older one are stale
  Space space_;
  Nodes nodes_;
  NodeTable<Open> handles_;
  LockTable locks_;
  std::mutex rename_m_;     // before every inode: directories move only under it, so that ancestry stands still
  mutable RwLock watch_m_;  // a leaf, but for the node table
  std::map<uint64_t, Watch> watches_;
  uint64_t next_watch_ = 1;
  std::atomic<size_t> watch_count_{0};
};

}  // namespace isthmus::fs::mem
