#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

Result<Entry> PassFs::lookup(const Context& ctx, const op::Lookup& a) {
  if (a.name == "." || a.name == "..") {
    // NFS servers ask this of nodes they remember by number alone.
    Node* n = nodes_.find(a.dir);
    if (!n) return err(ESTALE);
    return enter_dots(ctx, *n, a.name == "..");
  }
  auto at = place(a.dir, a.name, Op::Lookup);
  if (!at) return at.error();
  auto look = [&]() -> Result<Look> {
    AsCaller as(*ids_, ctx, AsCaller::Why::check);
    if (!as) return as.error();
    return look_at(at->at(), at->c_str(), nodes_.with_handles());
  }();
  if (!look) {
    Ttl ttl = negative_ttl(*at->dir);
    if (look.error() != err(ENOENT) || ttl == 0) return look.error();
    Entry none;
    none.entry_ttl = ttl;
    return none;
  }
  auto st = look->st;
  return entry(at->dir, nodes_.enter(*at->dir, at->at(), at->c_str(), std::move(*look)), st);
}

Result<Entry> PassFs::enter_dots(const Context& ctx, Node& n, bool up) {
  auto fd = nodes_.path(n);
  if (!fd) return fd.error();
  if (!up || n.id == NodeId::root) {
    auto st = stat_at((*fd)->get(), "");
    if (!st) return st.error();
    nodes_.count(n);
    return entry(nullptr, n, *st);
  }
  if (n.type != S_IFDIR) return err(ENOTDIR);
  AsCaller as(*ids_, ctx, AsCaller::Why::check);
  if (!as) return as.error();
  auto above = nodes_.fds().make([&] { return ::openat((*fd)->get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC); });
  as.leave();
  if (!above) return above.error();
  auto below = below_root((*above)->get());
  if (!below) return below.error();
  if (!*below) return err(ESTALE);  // moved out of the folder behind our back
  auto look = look_at((*above)->get(), "", nodes_.with_handles());
  if (!look) return look.error();
  auto st = look->st;
  return entry(nullptr, nodes_.enter_open(*above, std::move(*look)), st);
}

Result<bool> PassFs::below_root(int fd) const {
  constexpr int kDeepest = 4096;
  const Node* root = nodes_.find(NodeId::root);
  Fd at(::openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  FileKey before{};
  for (int i = 0; at && i < kDeepest; i++) {
    auto st = stat_at(at.get(), "");
    if (!st) return st.error();
    FileKey here{dev_of(*st), st->stx_ino};
    if (here == root->key) return true;
    if (here == before) return false;  // the top of this process's tree
    before = here;
    at.reset(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  if (!at) return last_errno();
  return false;
}

Status PassFs::forget(const Context&, const op::Forget& a) {
  listings_->drop(a.node);
  nodes_.forget(a.node, a.count);
  return Unit{};
}

Result<std::string> PassFs::readlink(const Context&, const op::Readlink& a) {
  auto n = nodes_.get(a.node, Op::Readlink);
  if (!n) return n.error();
  if ((*n)->type != S_IFLNK) return err(EINVAL);
  auto fd = nodes_.path(**n);
  if (!fd) return fd.error();
  std::string target(PATH_MAX, '\0');
  ssize_t len = ::readlinkat((*fd)->get(), "", target.data(), target.size());
  if (len < 0) return last_errno();
  target.resize(static_cast<size_t>(len));
  return target;
}

namespace {
/// Removes a name as the caller.
Status remove(const Identities& ids, const Context& ctx, int dir, const char* name, int flags) {
  AsCaller as(ids, ctx, AsCaller::Why::check);
  if (!as) return as.error();
  return check(::unlinkat(dir, name, flags));
}
}  // namespace

Status PassFs::unlink(const Context& ctx, const op::Unlink& a) {
  if (auto s = writable(); !s) return s;
  auto at = place(a.dir, a.name, Op::Unlink);
  if (!at) return at.error();
  auto victim = nodes_.before_removal(at->at(), at->c_str());
  if (auto s = remove(*ids_, ctx, at->at(), at->c_str(), 0); !s) return s;
  nodes_.after_removal(victim, *at->dir, at->c_str());
  return Unit{};
}

Status PassFs::rmdir(const Context& ctx, const op::Rmdir& a) {
  if (auto s = writable(); !s) return s;
  auto at = place(a.dir, a.name, Op::Rmdir);
  if (!at) return at.error();
  auto victim = nodes_.before_removal(at->at(), at->c_str());
  if (auto s = remove(*ids_, ctx, at->at(), at->c_str(), AT_REMOVEDIR); !s) return s;
  nodes_.after_removal(victim, *at->dir, at->c_str());
  return Unit{};
}

Status PassFs::rename(const Context& ctx, const op::Rename& a) {
  if (auto s = writable(); !s) return s;
  auto from = place(a.dir, a.name, Op::Rename);
  if (!from) return from.error();
  auto to = place(a.to_dir, a.to_name, Op::Rename);
  if (!to) return to.error();
  auto move = [&](uint32_t flags) -> Status {
    // RENAME_WHITEOUT makes a device node, as its asker.
    AsCaller as(*ids_, ctx, flags & RENAME_WHITEOUT ? AsCaller::Why::make : AsCaller::Why::check);
    if (!as) return as.error();
    return check(static_cast<int>(::syscall(SYS_renameat2, from->at(), from->c_str(), to->at(), to->c_str(), flags)));
  };
  bool exchange = a.flags & RENAME_EXCHANGE;
  // Most names are not taken: then no file loses one, and there is nobody to look for.
  auto done = move(exchange ? a.flags : a.flags | RENAME_NOREPLACE);
  if (!exchange && !(a.flags & RENAME_NOREPLACE) && !done && (done.code() == EEXIST || done.code() == EINVAL)) {
    auto victim = nodes_.before_removal(to->at(), to->c_str());
    done = move(a.flags);
    // A name is not replaced by another of the same file (rename(2)).
    if (done && !Nodes::is_at(victim, to->at(), to->c_str())) nodes_.after_removal(victim, *to->dir, to->c_str());
  }
  if (!done) return done;
  // What is found by handle is found wherever it is; its directory is of interest to exports.
  if (from->dir == to->dir && to->dir->by_handle()) return Unit{};
  nodes_.after_move(to->at(), *to->dir, to->c_str());
  if (exchange) nodes_.after_move(from->at(), *from->dir, from->c_str());
  return Unit{};
}

Result<Entry> PassFs::link(const Context& ctx, const op::Link& a) {
  if (auto s = writable(); !s) return s.error();
  auto n = nodes_.get(a.node, Op::Link);
  if (!n) return n.error();
  auto to = place(a.to_dir, a.to_name, Op::Link);
  if (!to) return to.error();
  auto fd = nodes_.path(**n);
  if (!fd) return fd.error();
  auto done = [&]() -> Status {
    AsCaller as(*ids_, ctx, AsCaller::Why::check);
    if (!as) return as.error();
    // The first needs CAP_DAC_READ_SEARCH, the second /proc; neither passes through the file's name.
    if (::linkat((*fd)->get(), "", to->at(), to->c_str(), AT_EMPTY_PATH) == 0) return Unit{};
    if (errno != ENOENT) return last_errno();
    ProcPath p((*fd)->get());
    return check(::linkat(AT_FDCWD, p.c_str(), to->at(), to->c_str(), AT_SYMLINK_FOLLOW));
  }();
  if (!done) return done.error();
  auto st = stat_at((*fd)->get(), "");
  if (!st) return st.error();
  nodes_.enter_again(**n, *to->dir, to->c_str());
  return entry(to->dir, **n, *st);
}

}  // namespace isthmus::fs::pass
