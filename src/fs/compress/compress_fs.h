#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "fs/compress/names.h"
#include "fs/compress/node.h"
#include "vfs/provider.h"

namespace isthmus::fs::compress {

/// A mirror of a tree whose regular files are stored compressed, as NAME.zst in zstd's seekable format, and shown as
/// NAME with their plain content (docs/compress.md). It waits for the tree below on the threads of its callers.
class CompressFs final : public Provider<CompressFs> {
 public:
  CompressFs(std::unique_ptr<FileSystem> tree, Options options);
  ~CompressFs() override;

  Status start(Upcalls& up) override;
  /// Stores what is not stored yet.
  void stop() override;
  Traits traits() const override;
  Capabilities capabilities() const override;

  // names.cpp
  Result<Entry> lookup(const Context& ctx, const op::Lookup& a);
  Status forget(const Context& ctx, const op::Forget& a);
  Result<Entry> mknod(const Context& ctx, const op::Mknod& a);
  Result<Entry> mkdir(const Context& ctx, const op::Mkdir& a);
  Result<Entry> symlink(const Context& ctx, const op::Symlink& a);
  Result<Entry> link(const Context& ctx, const op::Link& a);
  Status unlink(const Context& ctx, const op::Unlink& a);
  Status rmdir(const Context& ctx, const op::Rmdir& a);
  Result<Created> create(const Context& ctx, const op::Create& a);
  // rename.cpp
  Status rename(const Context& ctx, const op::Rename& a);

  // files.cpp
  Result<Opened> open(const Context& ctx, const op::Open& a);
  void read(Call<op::Read> c);
  void write(Call<op::Write> c);
  void flush(Call<op::Flush> c);
  Status release(const Context& ctx, const op::Release& a);
  void fsync(Call<op::Fsync> c);
  void fallocate(Call<op::Fallocate> c);
  void seek_hole(Call<op::SeekHole> c);
  Status sync(const Context& ctx, const op::Sync& a);

  // attributes.cpp
  Result<Attributes> getattr(const Context& ctx, const op::Getattr& a);
  Result<Attributes> setattr(const Context& ctx, const op::Setattr& a);
  Status set_xattr(const Context& ctx, const op::SetXattr& a);
  Status remove_xattr(const Context& ctx, const op::RemoveXattr& a);
  Status set_acl(const Context& ctx, const op::SetAcl& a);
  void readlink(Call<op::Readlink> c) { pass_on(std::move(c)); }
  void get_xattr(Call<op::GetXattr> c) { pass_on(std::move(c)); }
  void list_xattr(Call<op::ListXattr> c) { pass_on(std::move(c)); }
  void get_acl(Call<op::GetAcl> c) { pass_on(std::move(c)); }
  void access(Call<op::Access> c) { pass_on(std::move(c)); }
  Result<StatFs> statfs(const Context& ctx, const op::Statfs& a);

  // listing.cpp
  void open_dir(Call<op::OpenDir> c) { pass_on(std::move(c)); }
  Status read_dir(const Context& ctx, const op::ReadDir& a);
  void release_dir(Call<op::ReleaseDir> c) { pass_on(std::move(c)); }
  void fsync_dir(Call<op::FsyncDir> c) { pass_on(std::move(c)); }
  void watch(Call<op::Watch> c) { pass_on(std::move(c)); }
  Result<Unit> unwatch(const Context& ctx, const op::Unwatch& a) { return below(ctx, a); }

 private:
  class News;
  struct Handle {
    Handle(NodeRef n, InnerRef in, HandleId b, uint32_t f)
        : node(std::move(n)), inner(std::move(in)), below(b), flags(f) {}
    const NodeRef node;
    const InnerRef inner;  // what `below` is a handle of
    const HandleId below;
    const uint32_t flags;
    mutable std::atomic<bool> accessed{false};  // it was read through `below` once
    bool writes() const;
  };
  /// What a shown name stands for, one lookup counted below.
  struct Found {
    Entry entry;
    std::string stored;
    Kind kind = Kind::other;
  };

  template <class T>
  Result<typename T::Reply> below(const Context& ctx, T args) {
    return call_and_wait(*tree_, std::move(args), ctx);
  }
  /// Hands an operation on one node to what stands for that below; the caller's thread does not wait. by: its handle.
  template <class T>
  void pass_on(Call<T> c, HandleId by = HandleId::none) {
    auto n = nodes_->get(c->node, T::id);
    if (!n) return c.fail(n.error());
    InnerRef inner = (*n)->inner();
    T args = *c;
    args.node = inner->node;
    if constexpr (T::id != Op::ReleaseDir && T::id != Op::FsyncDir)
      if constexpr (requires { args.handle; }) args.handle = by;
    const Context& ctx = c.context();
    call_then(*tree_, ctx, args,
              [c = std::move(c), inner](Result<typename T::Reply> r) mutable { c.finish(std::move(r)); });
  }
  void undo(const Entry& e) const { isthmus::forget(*tree_, own(), e.node); }
  const Handle* handle(HandleId h) const { return handles_ ? handles_->find(NodeId{raw(h)}) : nullptr; }
  HandleId below_of(HandleId h) const {
    auto* found = handle(h);
    return found ? found->below : HandleId::none;
  }
  /// "dir/NAME" as far as it is known, for the log.
  static std::string label(const Node& n);

  // names.cpp. With the directory's `names` held.
  Result<Entry> look(const Context& ctx, NodeId dir, std::string_view stored);
  Result<bool> as_is(const Context& ctx, NodeId dir, std::string_view name, Entry& found);
  Result<Found> find(const Context& ctx, NodeId dir, std::string_view name, Ttl& absent);
  /// One that is there; ENOENT.
  Result<Found> find_there(const Context& ctx, NodeId in, std::string_view name);
  /// 0 when nothing has the name, EEXIST, or another error.
  Errno free_name(const Context& ctx, NodeId dir, std::string_view name);
  NodeRef enter(const NodeRef& dir, const Found& f);
  template <class T>
  Result<Entry> make_other(const Context& ctx, const T& a);
  struct NewFile {
    Found found;
    Opened opened;
  };
  Result<NewFile> make_file(const Context& ctx, NodeId dir, const op::Create& a);
  void sweep(const NodeRef& dir);

  // rename.cpp
  Status rename_locked(const Context& ctx, const NodeRef& dir, const NodeRef& to, const op::Rename& a);
  struct Exchange {
    std::string stored;  // what the first is to be called, in `to`
    NodeId to{};
    std::string target;  // the second, in `to`
    NodeId back_to{};
    std::string back;  // and what that is to be called
  };
  Status exchange_in_two(const Context& ctx, op::Rename first, const Exchange& e);
  void renamed(const Found& f, const NodeRef& dir, const NodeRef& to, const std::string& stored);
  void unnamed(const Found& f, const NodeRef& dir);

  // attributes.cpp
  /// given: attributes of `of` that are fresh; else they are asked for.
  Result<Attr> shown_attr(const Context& ctx, Node& n, const Attr* given, const Inner* of);
  Result<uint64_t> plain_size(const Context& ctx, Node& n, const InnerRef& inner, const Attr& a);
  Result<Entry> entry(const Context& ctx, const NodeRef& n, Entry e);
  template <class T>
  Status change(const Context& ctx, T args);
  Status resize(const NodeRef& n, uint64_t size);
  Status kill_suidgid(const Context& ctx, Node& n, bool asked);

  // files.cpp
  Status decodable(const Context& ctx, Node& n);
  Result<Opened> opened(const NodeRef& n, InnerRef inner, Opened o, uint32_t flags);
  /// With io alone.
  Status load(Node& n);
  Result<Image*> writable(const NodeRef& n, bool emptied);
  void changed(const NodeRef& n);
  Result<Buffer> read_packed(const NodeRef& n, const op::Read& a);
  void touch(const Handle& h, const op::Read& a);
  Result<size_t> write_packed(const Context& ctx, const NodeRef& n, const op::Write& a);
  Status fallocate_packed(const Context& ctx, const NodeRef& n, const op::Fallocate& a);
  bool reload_if_stale(Node& n);

  // store.cpp
  Result<std::unique_ptr<Temporary>> make_temporary(Node& n);
  /// Stores what was changed. durable: it survives a crash of the machine when this answers.
  Status store(const NodeRef& n, bool durable);
  /// With io alone. swapped: doors are to hear.
  Status store_locked(const NodeRef& n, bool durable, bool& swapped);
  Status put_in_place(Node& n, Image& image, Image::Stored& stored, const InnerRef& inner, const Attr& was, Time mtime);
  Result<bool> put_by_name(const NodeRef& n, Image::Stored& stored, const InnerRef& inner, const Attr& was);
  void redo(const Node& n, const InnerRef& inner, const Attr& a);
  Status redo_from(OpenBelow& whole, const InnerRef& inner, uint64_t size, std::string_view name);
  Status make_durable(Node& n);
  Status sync_names(Node& n);
  void clean(Node& n);
  void drop_image(Node& n);
  Status store_all(bool durable);
  void run_writer();

  const std::unique_ptr<FileSystem> tree_;
  Shared shared_;
  std::unique_ptr<News> news_;
  std::unique_ptr<NodeTable<Handle>> handles_;

  std::mutex redo_m_;  // held while files are stored in place, and while that is done again; before the leaves

  std::mutex m_;  // a leaf: guards the rest
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<Node*, std::pair<NodeRef, int64_t>> dirty_;  // and since when (monotonic)
  std::thread writer_;

  std::unique_ptr<Nodes> nodes_;
};

}  // namespace isthmus::fs::compress
