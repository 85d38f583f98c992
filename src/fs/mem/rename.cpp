#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "fs/mem/mem_fs.h"

/// rename(2) with all of its flags.
namespace isthmus::fs::mem {

struct MemFs::Renaming {
  Inode *from = nullptr, *to = nullptr;  // directories, locked
  HashedName name, to_name;
  uint32_t flags = 0;
  Dirent *source = nullptr, *target = nullptr;  // target: may be null
  Inode *moved = nullptr, *victim = nullptr;    // locked, where not null
  bool across() const { return from != to; }
};

namespace {

/// Locks inodes in the order of inode.h: directories (parents before children, as the caller lists them), then others
/// by address; each once.
class LockAll {
 public:
  LockAll() { held_.reserve(4); }
  void add(Inode* n) {
    if (!n || std::find(held_.begin(), held_.end(), n) != held_.end()) return;
    n->m.lock();
    held_.push_back(n);
  }
  void add_pair(Inode* a, Inode* b) {
    if (!a || !b) return add(a ? a : b);
    // A directory goes before what is none.
    if (a->is_dir() != b->is_dir() ? b->is_dir() : std::less<>{}(b, a)) std::swap(a, b);
    add(a);
    add(b);
  }
  ~LockAll() {
    for (auto it = held_.rbegin(); it != held_.rend(); ++it) (*it)->m.unlock();
  }

 private:
  std::vector<Inode*> held_;
};

}  // namespace

// Is `n` the directory `top` or below it? Only with the rename mutex: no directory moves meanwhile.
bool MemFs::is_below(const Inode* n, const Inode* top) {
  for (;; n = n->parent) {
    if (n == top) return true;
    if (n->parent == n) return false;
  }
}

Result<Unit> MemFs::rename(const Context& ctx, const op::Rename& a) {
  if (a.flags & ~static_cast<uint32_t>(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) return err(EINVAL);
  if ((a.flags & RENAME_EXCHANGE) && (a.flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))) return err(EINVAL);
  if (a.name.size() > 255 || a.to_name.size() > 255) return err(ENAMETOOLONG);
  auto from = find_dir(a.dir, Op::Rename), to = find_dir(a.to_dir, Op::Rename);
  if (!from) return from.error();
  if (!to) return to.error();
  Renaming r{*from, *to, a.name, a.to_name, a.flags};
  std::vector<Inode*> gone;  // references to give back once nothing is locked
  {
    std::unique_lock<std::mutex> moving(rename_m_, std::defer_lock);
    if (r.across()) moving.lock();
    LockAll locks;
    // The lower one of two related directories last; unrelated ones by address.
    if (r.across() && (is_below(r.from, r.to) || (!is_below(r.to, r.from) && std::less<>{}(r.to, r.from)))) {
      locks.add(r.to);
      locks.add(r.from);
    } else {
      locks.add(r.from);
      locks.add(r.to);
    }
    if (auto s = check(ctx, *r.from, kWantExecute); !s) return s;
    if (auto s = check(ctx, *r.to, kWantExecute); !s) return s;
    r.source = r.from->dir().find(r.name);
    if (!r.source) return err(ENOENT);
    r.target = r.to->dir().find(r.to_name);
    r.moved = r.source->node;
    r.victim = r.target ? r.target->node : nullptr;
    if (r.target && (r.flags & RENAME_NOREPLACE)) return err(EEXIST);
    if (!r.target && (r.flags & RENAME_EXCHANGE)) return err(ENOENT);
    if (r.across()) {
      // Before these are locked: one of them may be a directory that is locked already.
      if (r.moved->is_dir() && is_below(r.to, r.moved)) return err(EINVAL);
      if (r.victim && r.victim->is_dir() && is_below(r.from, r.victim))
        return err(r.flags & RENAME_EXCHANGE ? EINVAL : ENOTEMPTY);
    }
    if (r.moved == r.victim) return Unit{};  // two names of one file: nothing happens (rename(2))
    locks.add_pair(r.moved, r.victim);
    if (auto s = rename_checks(ctx, r); !s) return s;
    if (r.flags & RENAME_EXCHANGE)
      rename_exchange(r);
    else if (auto s = rename_move(ctx, r, gone); !s)
      return s;
  }
  notify(*r.from, a.name, kWatchRenamedFrom);
  notify(*r.to, a.to_name, kWatchRenamedTo);
  if (a.flags & RENAME_EXCHANGE) {
    notify(*r.to, a.to_name, kWatchRenamedFrom);
    notify(*r.from, a.name, kWatchRenamedTo);
  }
  for (Inode* n : gone) drop(*n);
  return Unit{};
}

/// In the order of Linux's vfs_rename.
Status MemFs::rename_checks(const Context& ctx, const Renaming& r) const {
  if (r.to->nlink == 0) return err(ENOENT);
  for (const Inode* n : {r.from, r.to, r.moved, r.victim})
    if (n)
      if (auto s = may_change(*n); !s) return s;
  if (!skips_checks(ctx)) {
    if (auto s = may_remove(ctx.cred, guard_of(*r.from), r.moved->uid); !s) return s;
    auto s = r.victim ? may_remove(ctx.cred, guard_of(*r.to), r.victim->uid)
                      : may_access(ctx.cred, guard_of(*r.to), kWantWrite | kWantExecute);
    if (!s) return s;
  }
  bool exchange = r.flags & RENAME_EXCHANGE;
  if (r.victim && !exchange) {
    if (r.moved->is_dir() && !r.victim->is_dir()) return err(ENOTDIR);
    if (!r.moved->is_dir() && r.victim->is_dir()) return err(EISDIR);
  }
  if (!skips_checks(ctx) && r.across()) {
    // Moving a directory changes its "..".
    if (r.moved->is_dir())
      if (auto s = may_access(ctx.cred, guard_of(*r.moved), kWantWrite); !s) return s;
    if (exchange && r.victim->is_dir())
      if (auto s = may_access(ctx.cred, guard_of(*r.victim), kWantWrite); !s) return s;
  }
  if (r.across() && r.to->nlink >= options_.max_links) {
    bool into = r.moved->is_dir() && !(r.victim && r.victim->is_dir());
    if (into) return err(EMLINK);
  }
  if (r.victim && !exchange && r.victim->is_dir() && r.victim->dir().size()) return err(ENOTEMPTY);
  return Unit{};
}

void MemFs::rename_exchange(Renaming& r) {
  Time now = isthmus::now();
  std::swap(r.source->node, r.target->node);
  if (r.across()) {
    if (r.moved->is_dir() && !r.victim->is_dir()) r.from->nlink--, r.to->nlink++;
    if (!r.moved->is_dir() && r.victim->is_dir()) r.from->nlink++, r.to->nlink--;
    // Each directory counts the one its ".." leads to; neither can be the last reference.
    if (r.moved->is_dir()) hold(*r.to);
    if (r.victim->is_dir()) hold(*r.from);
    if (r.moved->is_dir()) Nodes::forget(*r.from, 1);
    if (r.victim->is_dir()) Nodes::forget(*r.to, 1);
  }
  set_place(*r.moved, r.to, r.target->cookie);
  set_place(*r.victim, r.from, r.source->cookie);
  r.moved->ctime = r.victim->ctime = now;
  changed(*r.from, now);
  changed(*r.to, now);
}

Status MemFs::rename_move(const Context& ctx, Renaming& r, std::vector<Inode*>& gone) {
  Inode* whiteout = nullptr;
  gone.reserve(2);
  if (r.flags & RENAME_WHITEOUT) {
    Context owner = ctx;
    owner.umask_pending = false;
    auto made = give_birth(owner, *r.from, {S_IFCHR, uint64_t{0}, {}}, 1);
    if (!made) return made.error();
    whiteout = *made;
  }
  if (!r.target) {
    try {
      r.target = &r.to->dir().add(r.to_name, *r.moved);
    } catch (...) {
      if (whiteout) abort_birth(*whiteout);
      throw;
    }
  }
  // From here on nothing fails. The source name's reference of `moved` becomes the target name's.
  Time now = isthmus::now();
  r.target->node = r.moved;
  if (r.victim) {
    clear_place(*r.victim, *r.to, r.target->cookie);
    r.victim->nlink = r.victim->is_dir() ? 0 : r.victim->nlink - 1;
    r.victim->ctime = now;
    if (r.victim->is_dir()) r.to->nlink--;
    gone.push_back(r.victim);
  }
  if (r.moved->is_dir() && r.across()) {
    r.from->nlink--;
    r.to->nlink++;
    hold(*r.to);
    Nodes::forget(*r.from, 1);  // never the last: the caller works on it
  }
  set_place(*r.moved, r.to, r.target->cookie);
  r.moved->ctime = now;
  if (whiteout) {
    r.source->node = whiteout;
    set_place(*whiteout, r.from, r.source->cookie);
  } else {
    r.from->dir().remove(*r.source);
  }
  changed(*r.from, now);
  changed(*r.to, now);
  return Unit{};
}

}  // namespace isthmus::fs::mem
