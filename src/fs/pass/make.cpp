// New files: everything here runs as the caller while the name is made, so that owner, group, set-group-ID and ACLs
// come from the kernel below.
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

Status PassFs::put_labels(const char* path, std::span<const op::Label> labels) {
  for (auto& l : labels) {
    std::string name(l.name);
    // A store without labels is no reason to refuse the file (security_inode_init_security in Linux).
    if (::setxattr(path, name.c_str(), l.value.data(), l.value.size(), 0) < 0 && errno != EOPNOTSUPP)
      return last_errno();
  }
  return Unit{};
}

Result<Entry> PassFs::made(Place& at, std::span<const op::Label> labels, uint32_t type) {
  if (!labels.empty()) {
    auto fd = nodes_.fds().make([&] { return ::openat(at.at(), at.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); });
    auto s = fd ? put_labels(ProcPath((*fd)->get()).c_str(), labels) : Status(fd.error());
    if (!s) {
      ::unlinkat(at.at(), at.c_str(), type == S_IFDIR ? AT_REMOVEDIR : 0);
      return s.error();
    }
  }
  return enter(at);
}

Result<SharedFd> PassFs::make_file(const Context& ctx, Place& at, int flags, uint32_t mode) {
  AsCaller as(*ids_, ctx, AsCaller::Why::make, mode);
  if (!as) return as.error();
  return nodes_.fds().make(
      [&] { return ::openat(at.at(), at.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777); });
}

Result<PassFs::Made> PassFs::made_file(Place* at, const SharedFd& fd, std::span<const op::Label> labels) {
  auto s = labels.empty() ? Status(Unit{}) : put_labels(ProcPath(fd->get()).c_str(), labels);
  auto look = s ? look_at(fd->get(), "", nodes_.with_handles()) : Result<Look>(s.error());
  if (!look) {
    if (at) ::unlinkat(at->at(), at->c_str(), 0);
    return look.error();
  }
  Made made{nullptr, look->st};
  Node& n = nodes_.enter_open(fd, std::move(*look));
  if (n.by_handle()) n.verified.store(true, std::memory_order_release);
  if (labels.empty()) n.set_lacks(n.marks(), xattr_names_.all());
  if (at)
    nodes_.named(n, *at->dir, at->c_str());
  else
    nodes_.nameless(n, fd);
  made.node = &n;
  return made;
}

Result<Entry> PassFs::mknod(const Context& ctx, const op::Mknod& a) {
  if (auto s = writable(); !s) return s.error();
  auto at = place(a.dir, a.name, Op::Mknod);
  if (!at) return at.error();
  uint32_t type = a.mode & S_IFMT;
  if ((type == S_IFREG || type == 0) && shares(ctx)) {
    // Whoever makes a file will most likely write to it.
    auto fd = make_file(ctx, *at, O_RDWR, a.mode);
    if (!fd) return fd.error();
    auto m = made_file(&*at, *fd, a.labels);
    if (!m) return m.error();
    if (!late(*m->node)) nodes_.keep_data(*m->node, *fd, Use::write);
    return entry(at->dir, *m->node, m->st);
  }
  {
    AsCaller as(*ids_, ctx, AsCaller::Why::make, a.mode);
    if (!as) return as.error();
    if (::mknodat(at->at(), at->c_str(), a.mode, a.rdev) < 0) return last_errno();
  }
  return made(*at, a.labels, a.mode & S_IFMT);
}

Result<Entry> PassFs::mkdir(const Context& ctx, const op::Mkdir& a) {
  if (auto s = writable(); !s) return s.error();
  auto at = place(a.dir, a.name, Op::Mkdir);
  if (!at) return at.error();
  {
    AsCaller as(*ids_, ctx, AsCaller::Why::make, a.mode);
    if (!as) return as.error();
    if (::mkdirat(at->at(), at->c_str(), a.mode) < 0) return last_errno();
  }
  return made(*at, a.labels, S_IFDIR);
}

Result<Entry> PassFs::symlink(const Context& ctx, const op::Symlink& a) {
  if (auto s = writable(); !s) return s.error();
  auto at = place(a.dir, a.name, Op::Symlink);
  if (!at) return at.error();
  std::string target(a.target);
  {
    AsCaller as(*ids_, ctx, AsCaller::Why::make);
    if (!as) return as.error();
    if (::symlinkat(target.c_str(), at->at(), at->c_str()) < 0) return last_errno();
  }
  return made(*at, a.labels, S_IFLNK);
}

Result<Created> PassFs::made_open(Place* at, SharedFd fd, int flags, std::span<const op::Label> labels) {
  auto m = made_file(at, fd, labels);
  if (!m) return m.error();
  auto o = opened(*m->node, std::move(fd), flags, &m->st);
  if (!o) {
    nodes_.forget(m->node->id, 1);
    return o.error();
  }
  return Created{entry(at ? at->dir : nullptr, *m->node, m->st), *o};
}

Result<Created> PassFs::create(const Context& ctx, const op::Create& a) {
  if (auto s = writable(); !s) return s.error();
  auto at = place(a.dir, a.name, Op::Create);
  if (!at) return at.error();
  // O_EXCL always: only a file that we make ourselves may be opened by its name.
  int flags = safe_flags(a.flags) & ~O_TRUNC;
  auto fd = make_file(ctx, *at, flags, a.mode);
  if (fd) return made_open(&*at, std::move(*fd), flags, a.labels);
  if (fd.error() != err(EEXIST) || (a.flags & O_EXCL)) return fd.error();

  auto e = lookup(ctx, op::Lookup{{}, a.dir, a.name});
  if (!e) return e.error();
  if (e->node == NodeId::none) return err(ENOENT);
  op::Open o;
  o.node = e->node;
  o.flags = a.flags & ~static_cast<uint32_t>(O_CREAT);
  o.share = a.share;
  o.kill_suidgid = a.kill_suidgid;
  auto opened = open(ctx, o);
  if (!opened) {
    nodes_.forget(e->node, 1);
    return opened.error();
  }
  if (a.flags & O_TRUNC) {
    if (auto now = getattr(ctx, op::Getattr{{}, e->node, opened->handle})) e->attr = now->attr;
  }
  return Created{*e, *opened};
}

Result<Created> PassFs::tmpfile(const Context& ctx, const op::Tmpfile& a) {
  if (auto s = writable(); !s) return s.error();
  auto n = nodes_.get(a.dir, Op::Tmpfile);
  if (!n) return n.error();
  if ((*n)->type != S_IFDIR) return err(ENOTDIR);
  auto dir = nodes_.path(**n);
  if (!dir) return dir.error();
  int flags = safe_flags(a.flags) & ~O_TRUNC;
  if ((flags & O_ACCMODE) == O_RDONLY) return err(EINVAL);
  auto fd = [&]() -> Result<SharedFd> {
    AsCaller as(*ids_, ctx, AsCaller::Why::make, a.mode);
    if (!as) return as.error();
    int excl = a.flags & O_EXCL ? O_EXCL : 0;
    return nodes_.fds().make([&] { return ::openat((*dir)->get(), ".", flags | O_TMPFILE | excl, a.mode & 07777); });
  }();
  if (!fd) return fd.error();
  return made_open(nullptr, std::move(*fd), flags, a.labels);
}

}  // namespace isthmus::fs::pass
