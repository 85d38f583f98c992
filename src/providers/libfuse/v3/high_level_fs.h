#pragma once
#include <isthmus/fuse3/fuse.h>
#include <isthmus/fuse3/fuse_winfsp.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "providers/libfuse/v3/caller.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/interrupter.h"
#include "providers/libfuse/v3/layer.h"
#include "providers/libfuse/v3/path_table.h"
#include "providers/libfuse/v3/program.h"
#include "vfs/dos_facts.h"
#include "vfs/provider.h"

namespace isthmus::libfuse {

/// A program's fuse_operations as a file system: nodes have paths (PathTable), and every callback is run with the path
/// of its node, on the thread that submits. Paths in use stay as they are until the callback is back.
class HighLevelFs final : public Provider<HighLevelFs>, public Program {
 public:
  HighLevelFs(std::unique_ptr<fuse_fs> top, const fuse_config& config);
  ~HighLevelFs() override;

  /// What callbacks see as theirs.
  struct fuse* owner = nullptr;
  /// Whether the handle of an open file will do for getattr, and for what setattr consists of. In version 2 only for
  /// some.
  bool getattr_by_handle = true, setattr_by_handle = true;
  PathTable& paths() { return paths_; }
  const fuse_config& config() const { return config_; }
  /// Removes the open files that are hidden.
  void remove_hidden();
  Traits traits() const override;

  // Program
  FileSystem& files() override { return *this; }
  void* userdata() const override { return owner; }
  unsigned usual_wants() const override;
  void init(fuse_conn_info& conn) override;
  void destroy() override;

  // names and nodes
  Result<Entry> lookup(const Context&, const op::Lookup&);
  Result<Unit> forget(const Context&, const op::Forget&);
#if ISTHMUS_FUSE3_SO >= 4
  Result<Unit> sync(const Context&, const op::Sync&);
#endif
  Result<Attributes> getattr(const Context&, const op::Getattr&);
  Result<Attributes> setattr(const Context&, const op::Setattr&);
  Result<std::string> readlink(const Context&, const op::Readlink&);
  Result<Entry> mknod(const Context&, const op::Mknod&);
  Result<Entry> mkdir(const Context&, const op::Mkdir&);
  Result<Unit> unlink(const Context&, const op::Unlink&);
  Result<Unit> rmdir(const Context&, const op::Rmdir&);
  Result<Entry> symlink(const Context&, const op::Symlink&);
  Result<Unit> rename(const Context&, const op::Rename&);
  Result<Entry> link(const Context&, const op::Link&);
  Result<Unit> access(const Context&, const op::Access&);

  // open files
  Result<Opened> open(const Context&, const op::Open&);
  Result<Created> create(const Context&, const op::Create&);
  void read(Call<op::Read>);
  Result<size_t> write(const Context&, const op::Write&);
  Result<Unit> flush(const Context&, const op::Flush&);
  Result<Unit> release(const Context&, const op::Release&);
  Result<Unit> fsync(const Context&, const op::Fsync&);
  Result<Unit> fallocate(const Context&, const op::Fallocate&);
  Result<uint64_t> seek_hole(const Context&, const op::SeekHole&);
  Result<uint64_t> copy_range(const Context&, const op::CopyRange&);
  Result<Lock> get_lock(const Context&, const op::GetLock&);
  Result<Unit> set_lock(const Context&, const op::SetLock&);
  Result<IoctlReply> ioctl(const Context&, const op::Ioctl&);
  Result<uint32_t> poll(const Context&, const op::Poll&);
  Result<uint64_t> bmap(const Context&, const op::Bmap&);

  // directories, attributes, the whole
  Result<Opened> open_dir(const Context&, const op::OpenDir&);
  Result<Unit> read_dir(const Context&, const op::ReadDir&);
  Result<Unit> release_dir(const Context&, const op::ReleaseDir&);
  Result<Unit> fsync_dir(const Context&, const op::FsyncDir&);
  Result<StatFs> statfs(const Context&, const op::Statfs&);
  Result<std::string> get_xattr(const Context&, const op::GetXattr&);
  Result<Unit> set_xattr(const Context&, const op::SetXattr&);
  Result<std::vector<std::string>> list_xattr(const Context&, const op::ListXattr&);
  Result<Unit> remove_xattr(const Context&, const op::RemoveXattr&);

 private:
  class Listing;
  /// Around a callback: its context, and what interrupts it.
  class Callback {
   public:
    Callback(HighLevelFs& fs, const Context& ctx) : caller_(fs.owner, ctx), interrupts_(fs.interrupt_signal_, ctx) {}

   private:
    Caller caller_;
    Interrupter interrupts_;
  };

  /// The path of a callback with a handle: none with nullpath_ok, or when the file has no name any more.
  Result<PathTable::Held> hold_open(NodeId node);
  /// For callbacks that must run in any case.
  PathTable::Held hold_if_possible(NodeId node);
  /// What stands in for an inode number: within 32 bits, for programs that have no more; the count of uses goes.
  static uint64_t ino_of(NodeId node);
  /// Attributes as doors are to see them.
#if ISTHMUS_FUSE3_SO >= 4
  Attributes extended(NodeId node, const Attr& told);
#endif
  Result<StatFs> volume() const;
  unsigned mask_of(mode_t mode) const;
  Attr shown(NodeId node, fuse_stat_ex st) const;
  Attributes attributes(NodeId node, const fuse_stat_ex& st);
  /// The entry of a name whose attributes are known. Counts a lookup.
  Result<Entry> entry(NodeId dir, std::string_view name, const fuse_stat_ex& st);
  /// Runs getattr(). Without stat_ex_, what the program does not fill is zero.
  int ask_stat(const char* path, fuse_stat_ex& st, fuse_file_info* fi = nullptr) const {
    st = {};
    return top_->call(&fuse_operations::getattr, path, &st.st, fi);
  }
  /// The same after asking for the attributes at `path`.
  Result<Entry> ask_entry(NodeId dir, std::string_view name, const char* path, fuse_file_info* fi = nullptr);
  template <class F>
  Result<Entry> make(const Context& ctx, NodeId dir, std::string_view name, F callback);
  /// What a reading callback gives. `list`: what the answer is borrowed from.
  Result<Buffer> data(const Context& ctx, const op::Read& a, List& list);
  void note_stat(NodeId node, const struct stat& st);
  /// A name as it is written, with a program that ignores case; in `kept`, where it is not `name` itself.
  std::string_view written(const char* path, std::string_view name, std::string& kept) const;
  std::string_view written(NodeId dir, std::string_view name, std::string& kept);
  /// DOS attributes and the time of birth, which no kernel asks for but as an extended attribute.
  Result<std::string> dos_facts(const char* path) const;
  Status set_dos_facts(const char* path, const DosFacts& facts) const;
  /// Whether an operation's optional handle is one, and of a file.
  template <class T>
  bool is_file_handle(const T& a) {
    bool file = false;
    if (has_handle(a)) paths_.with(a.node, [&](PathNode& n) { file = !n.directory; });
    return file;
  }
  /// What the library's options say of an open file.
  Opened opened(NodeId node, const char* path, fuse_file_info& fi);
  bool is_open(NodeId dir, std::string_view name);
  /// Renames an open file out of the way. `path` is its own.
  Status hide(const char* path, NodeId dir, std::string_view name);

  std::unique_ptr<fuse_fs> top_;
  fuse_config config_;
  Ttl entry_ttl_ = 0, attr_ttl_ = 0, negative_ttl_ = 0;
  bool tells_volume_ = false;                    // by FUSE_HAIKU_GET_DRIVE_INFO
  bool stat_ex_ = false, ignores_case_ = false;  // fuse_winfsp.h
  int interrupt_signal_ = 0;                     // 0: callbacks are not interrupted
  PathTable paths_;
  std::atomic<unsigned> hidden_count_{0};
};

}  // namespace isthmus::libfuse
