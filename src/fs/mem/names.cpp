#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "fs/mem/mem_fs.h"

/// Finding and making names.
namespace isthmus::fs::mem {
namespace {

constexpr size_t kNameMax = 255, kTargetMax = 4095;
/// Inode::cookie of a file without a name that may get one: made by O_TMPFILE without O_EXCL.
constexpr uint64_t kLinkable = UINT64_MAX;

Status check_name(std::string_view name) { return name.size() > kNameMax ? Status(err(ENAMETOOLONG)) : Status(Unit{}); }

}  // namespace

Result<Entry> MemFs::lookup(const Context& ctx, const op::Lookup& a) {
  // "." and ".." may be asked of a node that the door has forgotten (export over NFS).
  bool dots = a.name == "." || a.name == "..";
  Inode* dir = dots ? revive(a.dir) : nodes_.find(a.dir);
  if (!dir) return err(ESTALE);
  struct Revived {
    MemFs& fs;
    Inode* n;
    ~Revived() {
      if (n) fs.drop(*n);
    }
  } revived{*this, dots ? dir : nullptr};
  Inode* n = nullptr;
  {
    Shared lock(dir->m);
    if (a.name == ".") {
      n = dir;
    } else {
      if (!dir->is_dir()) return err(ENOTDIR);
      if (auto s = check(ctx, *dir, kWantExecute); !s) return s.error();
      if (auto s = check_name(a.name); !s) return s.error();
      if (a.name == "..") {
        n = dir->parent;
      } else if (Dirent* e = dir->dir().find(a.name)) {
        n = e->node;
      } else {
        Entry none;
        none.entry_ttl = options_.ttl;
        return none;
      }
    }
    count(*n);
  }
  return entry_of(*n);
}

/// May a name be made in `dir` (locked)? Search first, then EEXIST (unless the caller wants to know what exists), then
/// the right to write, in Linux's order.
Status MemFs::may_add(const Context& ctx, const Inode& dir, const HashedName& name, Dirent** existing) const {
  if (auto s = check(ctx, dir, kWantExecute); !s) return s;
  if (auto s = check_name(name.text()); !s) return s;
  if (dir.nlink == 0) return err(ENOENT);
  if (Dirent* e = dir.dir().find(name)) {
    if (!existing) return err(EEXIST);
    *existing = e;
    return Unit{};
  }
  if (dir.extras && (dir.extras->flags & FS_IMMUTABLE_FL)) return err(EPERM);
  return check(ctx, dir, kWantWrite);
}

/// A new inode as `dir` (locked) gives it its owner, group, mode and ACLs (open(2), umask(2), acl(5)).
Result<Inode*> MemFs::give_birth(const Context& ctx, Inode& dir, Birth birth, uint32_t references) {
  uint32_t mode = birth.mode;
  uint32_t uid = ctx.cred.known ? ctx.cred.uid : self_uid_, gid = ctx.cred.known ? ctx.cred.gid : self_gid_;
  if (!skips_checks(ctx) && ctx.cred.uid != 0 && (S_ISCHR(mode) || S_ISBLK(mode)) &&
      !(S_ISCHR(mode) && *std::get_if<uint64_t>(&birth.body) == 0))
    return err(EPERM);
  Inherited acl;
  if (S_ISLNK(mode)) {
    acl.mode = S_IFLNK | 0777;
  } else if (dir.extras && dir.extras->dflt) {
    acl = inherit_acl(*dir.extras->dflt, mode);
  } else {
    acl.mode = ctx.umask_pending ? mode & ~(ctx.cred.umask & 0777) : mode;
  }
  if (dir.mode & S_ISGID) {
    gid = dir.gid;
    if (S_ISDIR(mode))
      acl.mode |= S_ISGID;
    else if (!skips_checks(ctx) && (acl.mode & S_IXGRP))
      acl.mode = strip_sgid(ctx.cred, acl.mode, gid);
  }
  if (auto s = space_.take(uid, 0, 1); !s) return s.error();
  Nodes::Made made{};
  try {
    made = nodes_.prepare(acl.mode & S_IFMT, std::move(birth.body));
  } catch (...) {
    space_.give(uid, 0, 1);
    throw;
  }
  // Nobody can find it before it is complete.
  Inode* n = made.node;
  n->mode = static_cast<uint16_t>(acl.mode);
  n->uid = uid;
  n->gid = gid;
  n->nlink = 1;
  n->atime = n->mtime = n->ctime = n->btime = now();
  if (S_ISDIR(mode)) {
    n->nlink = 2;
    n->parent = &dir;
  }
  if (acl.access || acl.dflt) {
    Extras& x = n->make_extras();
    if (acl.access) x.access = std::make_unique<PosixAcl>(std::move(*acl.access));
    if (acl.dflt) x.dflt = std::make_unique<PosixAcl>(std::move(*acl.dflt));
  }
  for (auto& l : birth.labels)
    if (auto s = set_plain_xattr(*n, l.name, l.value, 0); !s) {
      space_.give(uid, n->charged_bytes(), 1);
      nodes_.discard(made);
      return s.error();
    }
  if (S_ISDIR(mode)) hold(dir);
  nodes_.publish(made, references);
  return n;
}

// Nobody has seen it. The directory's reference cannot be its last one: the caller works on it.
void MemFs::abort_birth(Inode& n) { drop(n, Nodes::lookups(n)); }

/// A new name and its node, counted once for the door. `dir` is locked and the name is free.
Result<Inode*> MemFs::make(const Context& ctx, Inode& dir, const HashedName& name, Birth birth) {
  bool is_dir = S_ISDIR(birth.mode);
  if (is_dir && dir.nlink >= options_.max_links) return err(EMLINK);
  auto n = give_birth(ctx, dir, std::move(birth), 2);
  if (!n) return n;
  (*n)->lookups.store(1, std::memory_order_relaxed);
  try {
    Dirent& e = dir.dir().add(name, **n);
    Unique lock((*n)->m);
    set_place(**n, &dir, e.cookie);
  } catch (...) {
    abort_birth(**n);
    throw;
  }
  if (is_dir) dir.nlink++;
  changed(dir, (*n)->mtime);
  return n;
}

Result<Entry> MemFs::make_entry(const Context& ctx, NodeId in, std::string_view name, Op op, Birth birth) {
  auto dir = find_dir(in, op);
  if (!dir) return dir.error();
  Inode* n = nullptr;
  HashedName hashed(name);
  {
    Unique lock((*dir)->m);
    if (auto s = may_add(ctx, **dir, hashed, nullptr); !s) return s.error();
    auto made = make(ctx, **dir, hashed, std::move(birth));
    if (!made) return made.error();
    n = *made;
  }
  notify(**dir, name, kWatchCreated);
  return entry_of(*n);
}

Result<Entry> MemFs::mknod(const Context& ctx, const op::Mknod& a) {
  Birth b;
  b.mode = a.mode & (S_IFMT | 07777);
  b.labels = a.labels;
  switch (b.mode & S_IFMT) {
    case 0:
      b.mode |= S_IFREG;
      [[fallthrough]];
    case S_IFREG:
      b.body = FileData{};
      break;
    case S_IFCHR:
    case S_IFBLK:
      b.body = a.rdev;
      break;
    case S_IFIFO:
    case S_IFSOCK:
      b.body = uint64_t{0};
      break;
    default:
      return err(EINVAL);
  }
  return make_entry(ctx, a.dir, a.name, Op::Mknod, std::move(b));
}

Result<Entry> MemFs::mkdir(const Context& ctx, const op::Mkdir& a) {
  Birth b{S_IFDIR | (a.mode & 07777), std::make_unique<Directory>(), a.labels};
  return make_entry(ctx, a.dir, a.name, Op::Mkdir, std::move(b));
}

Result<Entry> MemFs::symlink(const Context& ctx, const op::Symlink& a) {
  if (a.target.empty()) return err(ENOENT);
  if (a.target.size() > kTargetMax) return err(ENAMETOOLONG);
  Birth b{S_IFLNK | 0777, a.target, a.labels};
  return make_entry(ctx, a.dir, a.name, Op::Symlink, std::move(b));
}

Result<Entry> MemFs::link(const Context& ctx, const op::Link& a) {
  auto n = find(a.node, Op::Link);
  if (!n) return n.error();
  auto dir = find_dir(a.to_dir, Op::Link);
  if (!dir) return dir.error();
  Inode &node = **n, &to = **dir;
  if (node.is_dir()) return err(EPERM);
  HashedName name(a.to_name);
  {
    Unique dir_lock(to.m);
    if (auto s = may_add(ctx, to, name, nullptr); !s) return s.error();
    Unique lock(node.m);
    if (auto s = may_change(node); !s) return s.error();
    if (node.nlink == 0 && node.cookie != kLinkable) return err(ENOENT);
    if (node.nlink >= options_.max_links) return err(EMLINK);
    Dirent& e = to.dir().add(name, node);
    hold(node);
    node.nlink++;
    node.ctime = now();
    set_place(node, &to, e.cookie);
    changed(to, node.ctime);
    count(node);
  }
  notify(to, a.to_name, kWatchCreated);
  return entry_of(node);
}

Result<Created> MemFs::tmpfile(const Context& ctx, const op::Tmpfile& a) {
  auto dir = find_dir(a.dir, Op::Tmpfile);
  if (!dir) return dir.error();
  Inode* n = nullptr;
  {
    Unique lock((*dir)->m);
    if ((*dir)->nlink == 0) return err(ENOENT);
    if (auto s = check(ctx, **dir, kWantExecute | kWantWrite); !s) return s.error();
    auto made = give_birth(ctx, **dir, {S_IFREG | (a.mode & 07777), FileData{}, a.labels}, 1);
    if (!made) return made.error();
    n = *made;
    {
      Unique unnamed(n->m);
      n->nlink = 0;
      if (!(a.flags & O_EXCL)) n->cookie = kLinkable;
    }
    n->lookups.store(1, std::memory_order_relaxed);
  }
  Created c;
  c.opened = make_handle(*n, a.flags, 0);
  c.entry = entry_of(*n);
  return c;
}

Result<Created> MemFs::open_existing(const Context& ctx, Inode& n, const op::Create& a) {
  auto opened = open(ctx, op::Open{{}, id_of(n), a.flags & ~static_cast<uint32_t>(O_CREAT), a.share, a.kill_suidgid});
  if (!opened) return opened.error();
  n.lookups.fetch_add(1, std::memory_order_relaxed);
  hold(n);
  return Created{entry_of(n), *opened};
}

Result<Created> MemFs::create(const Context& ctx, const op::Create& a) {
  auto found = find_dir(a.dir, Op::Create);
  if (!found) return found.error();
  Inode& dir = **found;
  Inode* n = nullptr;
  bool fresh = false;
  HashedName name(a.name);
  {
    Unique lock(dir.m);
    Dirent* e = nullptr;
    if (auto s = may_add(ctx, dir, name, a.flags & O_EXCL ? nullptr : &e); !s) return s.error();
    if (e) {
      n = e->node;
      hold(*n);
    } else {
      auto made = make(ctx, dir, name, {S_IFREG | (a.mode & 07777), FileData{}, a.labels});
      if (!made) return made.error();
      n = *made;
      fresh = true;
    }
  }
  if (!fresh) {
    auto r = open_existing(ctx, *n, a);
    drop(*n);
    return r;
  }
  notify(dir, a.name, kWatchCreated);
  Created c;
  c.opened = make_handle(*n, a.flags, 0);
  c.entry = entry_of(*n);
  return c;
}

}  // namespace isthmus::fs::mem
