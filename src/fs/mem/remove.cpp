#include <sys/stat.h>

#include "fs/mem/mem_fs.h"

/// Taking names away.
namespace isthmus::fs::mem {

/// Both locked. Remembers where the node's newest name is (for watchers).
void MemFs::set_place(Inode& n, Inode* dir, uint64_t cookie) {
  if (n.parent != dir) n.parent = dir;  // ancestry is read without this lock (is_below)
  n.cookie = cookie;
}
void MemFs::clear_place(Inode& n, const Inode& dir, uint64_t cookie) {
  if (!n.is_dir() && n.parent == &dir && n.cookie == cookie) set_place(n, nullptr, 0);
}

Result<Unit> MemFs::remove_name(const Context& ctx, NodeId dir_id, std::string_view name, Op op) {
  auto found = find_dir(dir_id, op);
  if (!found) return found.error();
  Inode& dir = **found;
  Inode* n = nullptr;
  {
    Unique dir_lock(dir.m);
    if (auto s = check(ctx, dir, kWantExecute); !s) return s;
    if (name.size() > 255) return err(ENAMETOOLONG);
    Dirent* e = dir.dir().find(name);
    if (!e) return err(ENOENT);
    n = e->node;
    Unique lock(n->m);
    if (!skips_checks(ctx))
      if (auto s = may_remove(ctx.cred, guard_of(dir), n->uid); !s) return s;
    if (auto s = may_change(*n); !s) return s;
    if (auto s = may_change(dir); !s) return s;
    if (op == Op::Rmdir) {
      if (!n->is_dir()) return err(ENOTDIR);
      if (n->dir().size()) return err(ENOTEMPTY);
      n->nlink = 0;
      dir.nlink--;
    } else {
      if (n->is_dir()) return err(EISDIR);
      clear_place(*n, dir, e->cookie);
      n->nlink--;
    }
    n->ctime = now();
    changed(dir, n->ctime);
    dir.dir().remove(*e);
  }
  notify(dir, name, kWatchRemoved);
  drop(*n);
  return Unit{};
}

Result<Unit> MemFs::unlink(const Context& ctx, const op::Unlink& a) {
  return remove_name(ctx, a.dir, a.name, Op::Unlink);
}
Result<Unit> MemFs::rmdir(const Context& ctx, const op::Rmdir& a) { return remove_name(ctx, a.dir, a.name, Op::Rmdir); }

}  // namespace isthmus::fs::mem
