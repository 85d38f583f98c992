#include <dirent.h>
#include <sys/stat.h>

#include "fs/mem/mem_fs.h"

/// Reading directories.
namespace isthmus::fs::mem {

Result<Opened> MemFs::open_dir(const Context& ctx, const op::OpenDir& a) {
  auto n = find_dir(a.node, Op::OpenDir);
  if (!n) return n.error();
  uint64_t end = 0;
  {
    Shared lock((*n)->m);
    if (auto s = check(ctx, **n, kWantRead); !s) return s.error();
    end = (*n)->dir().next_cookie();
  }
  return make_handle(**n, a.flags, end);
}

/// The sink is filled with the directory locked: it only encodes. Without a handle a listing ends, at the latest, where
/// the one begun last does.
Result<Unit> MemFs::read_dir(const Context& ctx, const op::ReadDir& a) {
  auto n = find_dir(a.node, Op::ReadDir);
  if (!n) return n.error();
  auto handle = find_handle(a.handle, **n);
  if (!handle) return handle.error();
  Inode& dir = **n;
  {
    Shared lock(dir.m);
    if (a.handle == HandleId::none)
      if (auto s = check(ctx, dir, kWantRead); !s) return s;
    if (dir.nlink == 0) return err(ENOENT);
    const Directory& names = dir.dir();
    // A name made while somebody reads (by a rename of each name seen, say) must not keep the reading going for ever.
    uint64_t end = names.next_cookie();
    std::atomic<uint64_t>& limit = *handle ? (*handle)->end : names.listing_end();
    if (a.cookie == 0)
      limit.store(end, std::memory_order_relaxed);
    else
      end = limit.load(std::memory_order_relaxed);
    if (a.cookie < Directory::kDot && !a.sink->add({raw(id_of(dir)), Directory::kDot, DT_DIR, ".", nullptr}))
      return Unit{};
    if (a.cookie < Directory::kDotDot &&
        !a.sink->add({raw(id_of(*dir.parent)), Directory::kDotDot, DT_DIR, "..", nullptr}))
      return Unit{};
    Directory::Reader reader(names, std::max(a.cookie, Directory::kDotDot));
    for (const Dirent* e = reader.next(); e && e->cookie < end; e = reader.next()) {
      Inode& child = *e->node;
      DirEntry d{raw(id_of(child)), e->cookie, static_cast<uint32_t>(IFTODT(child.type)), e->name(), nullptr};
      Entry with;
      if (a.with_attr) {
        with = entry_of(child);
        d.with = &with;
        count(child);  // before the door's client can know it, and forget it
      }
      if (a.sink->add(d)) continue;
      if (a.with_attr) {
        child.lookups.fetch_sub(1, std::memory_order_relaxed);
        Nodes::forget(child, 1);  // never the last: it has a name
      }
      break;
    }
  }
  if (a.cookie == 0) touch_atime(dir, 0);
  return Unit{};
}

Result<Unit> MemFs::release_dir(const Context&, const op::ReleaseDir& a) {
  drop_handle(a.handle);
  return Unit{};
}

Result<Unit> MemFs::fsync_dir(const Context&, const op::FsyncDir& a) {
  if (auto n = find_dir(a.node, Op::FsyncDir); !n) return n.error();
  return Unit{};
}

}  // namespace isthmus::fs::mem
