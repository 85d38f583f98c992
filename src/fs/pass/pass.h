#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fs/pass/identity.h"
#include "fs/pass/nodes.h"
#include "fs/pass/options.h"
#include "fs/pass/watch.h"
#include "fs/pass/xattr_names.h"
#include "vfs/provider.h"

namespace isthmus::fs::pass {

/// Mirrors a folder (docs/pass.md). Nothing above or beside the folder can be reached through it: every name is one
/// component, taken relative to an open directory and never followed.
///
/// As root it acts for its callers (AsCaller), as an ordinary user everything is done as that user. Record and flock
/// locks are not implemented: a kernel that mounts this keeps them itself. All methods: any thread.
class PassFs final : public Provider<PassFs> {
 public:
  explicit PassFs(std::string folder, PassOptions options = {});
  ~PassFs() override;

  /// ENOENT, ENOTDIR, EACCES as open(2) says of the folder.
  Status start(Upcalls& up) override;
  void stop() override;
  Traits traits() const override;

  // names.cpp
  Result<Entry> lookup(const Context& ctx, const op::Lookup& a);
  Status forget(const Context& ctx, const op::Forget& a);
  Result<std::string> readlink(const Context& ctx, const op::Readlink& a);
  Status unlink(const Context& ctx, const op::Unlink& a);
  Status rmdir(const Context& ctx, const op::Rmdir& a);
  Status rename(const Context& ctx, const op::Rename& a);
  Result<Entry> link(const Context& ctx, const op::Link& a);

  // make.cpp
  Result<Entry> mknod(const Context& ctx, const op::Mknod& a);
  Result<Entry> mkdir(const Context& ctx, const op::Mkdir& a);
  Result<Entry> symlink(const Context& ctx, const op::Symlink& a);
  Result<Created> create(const Context& ctx, const op::Create& a);
  Result<Created> tmpfile(const Context& ctx, const op::Tmpfile& a);

  // attr.cpp
  Result<Attributes> getattr(const Context& ctx, const op::Getattr& a);
  Result<Attributes> setattr(const Context& ctx, const op::Setattr& a);
  Status access(const Context& ctx, const op::Access& a);
  Result<StatFs> statfs(const Context& ctx, const op::Statfs& a);

  // data.cpp
  Result<Opened> open(const Context& ctx, const op::Open& a);
  Result<Buffer> read(const Context& ctx, const op::Read& a);
  Result<size_t> write(const Context& ctx, const op::Write& a);
  Status flush(const Context& ctx, const op::Flush& a);
  Status release(const Context& ctx, const op::Release& a);
  Status fsync(const Context& ctx, const op::Fsync& a);
  Status sync(const Context& ctx, const op::Sync& a);

  // ranges.cpp
  Status fallocate(const Context& ctx, const op::Fallocate& a);
  Result<uint64_t> seek_hole(const Context& ctx, const op::SeekHole& a);
  Result<uint64_t> copy_range(const Context& ctx, const op::CopyRange& a);

  // dirs.cpp
  Result<Opened> open_dir(const Context& ctx, const op::OpenDir& a);
  Status read_dir(const Context& ctx, const op::ReadDir& a);
  Status release_dir(const Context& ctx, const op::ReleaseDir& a);
  Status fsync_dir(const Context& ctx, const op::FsyncDir& a);

  // xattr.cpp
  Result<std::string> get_xattr(const Context& ctx, const op::GetXattr& a);
  Status set_xattr(const Context& ctx, const op::SetXattr& a);
  Result<std::vector<std::string>> list_xattr(const Context& ctx, const op::ListXattr& a);
  Status remove_xattr(const Context& ctx, const op::RemoveXattr& a);

  // ioctl.cpp
  Result<IoctlReply> ioctl(const Context& ctx, const op::Ioctl& a);

  // export.cpp
  Result<ExportHandle> node_to_export(const Context& ctx, const op::NodeToExport& a);
  Result<Entry> export_to_node(const Context& ctx, const op::ExportToNode& a);

  /// A name as the store lists it.
  struct ListedName {
    uint64_t ino = 0, next = 0;
    uint16_t length = 0;
    uint8_t type = 0;
    const char* text = nullptr;
  };

  /// For tests and statistics.
  size_t known_nodes() const { return nodes_.size(); }
  size_t cached_fds() { return nodes_.fds().size(); }
  bool uses_handles() const { return nodes_.with_handles(); }
  /// Null when others' changes are not heard.
  const Watch* watching() const { return watch_.get(); }

 private:
  struct OpenFile {
    Node* node;
    SharedFd fd;
    int flags;
    std::atomic<bool> wrote{false};
    std::mutex m;        // guards read_fd; a leaf
    SharedFd read_fd{};  // when opened write-only and read all the same (a client's page cache)
    OpenFile(Node* n, SharedFd f, int fl) : node(n), fd(std::move(f)), flags(fl) {}
  };
  struct OpenDirectory;
  class Listings;

  /// A directory of an operation, open, and a name in it.
  struct Place {
    Node* dir = nullptr;
    SharedFd fd;
    Name name{""};
    Place(Node* d, SharedFd f, std::string_view n) : dir(d), fd(std::move(f)), name(n) {}
    int at() const { return fd->get(); }
    const char* c_str() const { return name.c_str(); }
  };
  Result<Place> place(NodeId dir, std::string_view name, Op op);
  /// EROFS on a read-only mount.
  Status writable() const { return options_.read_only ? Status(err(EROFS)) : Status(Unit{}); }

  /// Operations that check permissions run as this process itself.
  bool acts_as_server(const Context& ctx) const { return ctx.access_checked || !ids_->can_switch() || !ctx.cred.known; }

  /// For a door's answer. dir: where the name is; null when there is none.
  Entry entry(const Node* dir, Node& n, const struct ::statx& st);
  Attributes attributes(Node& n, const struct ::statx& st);
  bool heard(const Node& n) const { return watch_ && n.watched.load(std::memory_order_relaxed) && watch_->works(); }
  Ttl negative_ttl(const Node& dir) const;
  void notice(Node& n, const struct ::statx& st);
  Status begin_watch(SharedFd root);
  Attr attr(const struct ::statx& st) const { return to_attr(st, nodes_.root_dev()); }
  /// The entry of what lies at `at`, one lookup counted.
  Result<Entry> enter(Place& at);
  Result<Entry> enter_dots(const Context& ctx, Node& n, bool up);

  // Labels and entry of a node that a call has just made at `at`.
  Result<Entry> made(Place& at, std::span<const op::Label> labels, uint32_t type);
  Status put_labels(const char* path, std::span<const op::Label> labels);
  /// A new regular file, made as the caller. EEXIST when the name is taken.
  Result<SharedFd> make_file(const Context& ctx, Place& at, int flags, uint32_t mode);
  struct Made {
    Node* node;
    struct ::statx st;
  };
  /// Labels and node of a file that was just made and opened, one lookup counted. at: null when it has no name.
  Result<Made> made_file(Place* at, const SharedFd& fd, std::span<const op::Label> labels);
  Result<Created> made_open(Place* at, SharedFd fd, int flags, std::span<const op::Label> labels);
  Result<Opened> opened(Node& n, SharedFd fd, int flags, const struct ::statx* st);
  Result<SharedFd> open_regular(const Context& ctx, Node& n, uint32_t flags);

  // Handles of files and of directories come from two tables: this bit, which no index of theirs reaches, tells them
  // apart when a door gives either to the same operation.
  static constexpr uint64_t kDirectoryBit = uint64_t{1} << 31;
  OpenFile* file(HandleId h) const { return files_.find(NodeId{raw(h)}); }
  OpenDirectory* directory(HandleId h) const;
  /// Nobody but the door has to check permissions, or root comes, whom nothing is denied: what the server has open
  /// serves.
  bool may_all(const Context& ctx) const {
    return ids_->can_switch() && (ctx.access_checked || !ctx.cred.known || ctx.cred.uid == 0);
  }
  /// Without a handle: are files kept open and shared with whoever else reads and writes them?
  bool shares(const Context& ctx) const { return by_node_ && may_all(ctx); }
  /// Are errors of writing this file told when it is closed?
  bool late(const Node& n) const;
  /// Has the store write now what it would write when the file is closed.
  Status close_now(int fd);
  /// The handle's descriptor, else a shared one, else one opened for this operation alone.
  Result<SharedFd> data_fd(const Context& ctx, NodeId node, HandleId h, int access, Op op);
  /// The handle's descriptor or the node's.
  Result<SharedFd> any_fd(NodeId node, HandleId h, Op op);
  /// As the kernel does when somebody without CAP_FSETID writes to a file (notify_change in Linux).
  Status kill_suidgid(const Context& ctx, int fd);
  Status kill_for_stranger(const Context& ctx, int fd);
  /// Of a file's group, or root.
  bool in_group(const Context& ctx, uint32_t gid) const;
  Status set_owner(int fd, const SetAttr& s);
  Status set_size(const Context& ctx, Node& n, HandleId h, int fd, uint64_t size);
  Status set_times(int fd, const SetAttr& s);
  Status set_all(const Context& ctx, Node& n, HandleId h, int fd, const SetAttr& s);

  Status read_shared(const Context& ctx, Node& n, const op::ReadDir& a);
  void close_directory(HandleId h);
  bool offer(Node& dir, OpenDirectory& d, const ListedName& name, bool with_attr, DirSink& sink);
  Status fill(const Context& ctx, Node& n, OpenDirectory& d, const op::ReadDir& a);
  /// Is the directory `fd` the folder, or below it?
  Result<bool> below_root(int fd) const;
  /// ESTALE unless the file is a directory below the folder or has a name in such a one.
  Status contained(const SharedFd& fd, const struct ::statx& st,
                   const std::function<Result<SharedFd>()>& open_parent) const;

  const std::string folder_;
  const PassOptions options_;
  std::unique_ptr<Identities> ids_;  // known at start()
  std::unique_ptr<Watch> watch_;     // likewise; null: nobody tells us what others change
  Nodes nodes_;
  NodeTable<OpenFile> files_;
  NodeTable<OpenDirectory> dirs_;
  std::unique_ptr<Listings> listings_;
  XattrNames xattr_names_;
  bool posix_acl_ = false;
  bool flushes_ = false;  // the store may report errors at close(2)
  bool by_node_ = false;  // Traits::inode_addressed
  Ttl ttl_ = 0, negative_ttl_ = 0;
};

}  // namespace isthmus::fs::pass
