// Listings: stored names as shown ones.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/compress/compress_fs.h"

namespace isthmus::fs::compress {
namespace {

/// Takes a page of names. The tree below may hold its own locks meanwhile, so nothing else is done.
class Page final : public DirSink {
 public:
  struct Name {
    DirEntry entry;
    std::string name;
    std::optional<Entry> with;
  };
  explicit Page(size_t room) : room_(room) {}

  bool add(const DirEntry& e) override {
    const size_t size = kEach + e.name.size();
    if (!names.empty() && used_ + size > room_) return full_ = true, false;
    used_ += size;
    names.push_back({e, std::string(e.name), e.with ? std::optional(*e.with) : std::nullopt});
    return true;
  }
  size_t room() const override { return room_ - std::min(used_, room_); }
  bool full() const { return full_; }

  std::vector<Name> names;

 private:
  static constexpr size_t kEach = 24;
  size_t room_, used_ = 0;
  bool full_ = false;
};

}  // namespace

Status CompressFs::read_dir(const Context& ctx, const op::ReadDir& a) {
  auto dir = nodes_->get(a.node, Op::ReadDir);
  if (!dir) return dir.error();
  const InnerRef in = (*dir)->inner();
  op::ReadDir args = a;
  args.node = in->node;
  args.pattern = {};  // of shown names
  for (bool took = false;;) {
    Page page(std::clamp<size_t>(a.sink->room(), 512, size_t{64} << 10));
    args.sink = &page;
    // Nothing changes its name between the listing and the look at what else there is.
    std::shared_lock lock((*dir)->names);
    auto s = below(ctx, args);
    if (!s) return took ? Status(Unit{}) : s;
    std::vector<std::string> left_behind;
    bool room = true;
    for (auto& name : page.names) {
      args.cookie = name.entry.cookie;
      const bool dots = name.name == "." || name.name == "..";
      const bool hidden = !dots && is_temporary(name.name);
      if (!room || hidden) {
        if (name.with && name.with->node != NodeId::none) undo(*name.with);
        if (hidden && is_left_behind(name.name)) left_behind.push_back(name.name);
        continue;
      }
      std::string shown = name.name;
      bool packed = false;
      if (!dots && has_suffix(name.name)) {
        Entry other;
        auto taken = as_is(ctx, in->node, without_suffix(name.name), other);
        if (taken && *taken) undo(other);
        packed = !taken || !*taken;
        if (packed) shown = without_suffix(name.name);
      }
      DirEntry e = name.entry;
      e.name = shown;
      e.ino = nodes_->shown_ino(e.ino);
      Entry with;
      e.with = nullptr;
      NodeRef n;
      if (name.with && name.with->node != NodeId::none) {
        const bool regular = S_ISREG(name.with->attr.mode);
        n = enter(*dir, {*name.with, name.name, !regular ? Kind::other : packed ? Kind::packed : Kind::plain});
        if (auto full = entry(ctx, n, *name.with)) {
          with = *full;
          e.ino = with.attr.ino;
          e.with = &with;
        }
      }
      room = a.sink->add(e);
      took |= room;
      if (!room && e.with) nodes_->forget(with.node, 1);
    }
    lock.unlock();
    for (auto& name : left_behind) (void)below(own(), op::Unlink{{}, in->node, name});
    if (!room || !page.full()) return Unit{};
  }
}

/// Removes what is hidden from a directory that somebody wants to remove, if that is all there is.
void CompressFs::sweep(const NodeRef& dir) {
  const InnerRef in = dir->inner();
  auto open = below(own(), op::OpenDir{{}, in->node, O_RDONLY | O_DIRECTORY});
  if (!open) return;
  std::vector<std::string> hidden;
  bool others = false;
  op::ReadDir args;
  args.node = in->node;
  args.handle = open->handle;
  for (;;) {
    Page page(size_t{64} << 10);
    args.sink = &page;
    auto s = below(own(), args);
    if (!s || page.names.empty()) break;
    for (auto& name : page.names) {
      args.cookie = name.entry.cookie;
      if (name.with && name.with->node != NodeId::none) undo(*name.with);
      if (is_temporary(name.name))
        hidden.push_back(name.name);
      else
        others |= name.name != "." && name.name != "..";
    }
  }
  (void)below(own(), op::ReleaseDir{{}, in->node, open->handle});
  if (others) return;
  for (auto& name : hidden) (void)below(own(), op::Unlink{{}, in->node, name});
}

}  // namespace isthmus::fs::compress
