#include "fs/mem/mem_fs.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace isthmus::fs::mem {
namespace {

uint64_t random_generation() {
  uint32_t g = 0;
  if (::getrandom(&g, sizeof g, GRND_NONBLOCK) < 0) g = static_cast<uint32_t>(monotonic_ns());
  return g | 1;
}

uint64_t statx_flags(uint32_t inode_flags) {
  return (inode_flags & FS_IMMUTABLE_FL ? STATX_ATTR_IMMUTABLE : 0) |
         (inode_flags & FS_APPEND_FL ? STATX_ATTR_APPEND : 0) | (inode_flags & FS_NODUMP_FL ? STATX_ATTR_NODUMP : 0);
}

}  // namespace

MemFs::MemFs(MemOptions options)
    : options_(std::move(options)),
      self_uid_(::geteuid()),
      self_gid_(::getegid()),
      generation_(random_generation()),
      space_(options_.limits, options_.quotas) {
  Inode* root = nodes_.emplace(1, S_IFDIR, std::make_unique<Directory>()).node;
  root->mode = static_cast<uint16_t>(S_IFDIR | options_.mode);
  root->nlink = 2;
  root->uid = options_.uid;
  root->gid = options_.gid;
  root->parent = root;
  root->atime = root->mtime = root->ctime = root->btime = now();
  if (!space_.take(root->uid, 0, 1)) log(LogLevel::warning, "mem: no room for the root directory in its limits");
  if (!options_.locks)
    for (Op op : {Op::GetLock, Op::SetLock, Op::Flush}) Provider::drop(op);
  if (!options_.handles)
    for (Op op : {Op::Open, Op::Release, Op::OpenDir, Op::ReleaseDir, Op::Create}) Provider::drop(op);
}

MemFs::~MemFs() = default;

Traits MemFs::traits() const {
  Traits t;
  t.type = "mem";
  t.source = options_.name;
  t.dir_attr = t.posix_acl = t.export_stable = t.kills_suidgid = t.inode_addressed = t.flush_for_locks = true;
  return t;
}

// ---- references and handles ----

void MemFs::drop(Inode& n, uint64_t count) {
  Inode* gone = &n;
  // A directory's end gives its parent back, which may end that one too.
  while (gone && Nodes::forget(*gone, count)) {
    Inode* parent = gone->is_dir() ? gone->parent : nullptr;
    space_.give(gone->uid, gone->charged_bytes(), 1);
    NodeId id = id_of(*gone);
    locks_.forget(id);
    nodes_.erase(id);
    gone = parent;
    count = 1;
  }
}

Inode* MemFs::revive(NodeId id) {
  Inode *stray = nullptr, *n = nodes_.revive(id, stray);
  if (stray) drop(*stray);
  return n;
}

Result<Inode*> MemFs::find_dir(NodeId id, Op op) const {
  auto n = find(id, op);
  if (n && !(*n)->is_dir()) return err(ENOTDIR);
  return n;
}

Result<Inode*> MemFs::find_file(NodeId id, Op op) const {
  auto n = find(id, op);
  if (!n || (*n)->is(S_IFREG)) return n;
  return err((*n)->is_dir() ? EISDIR : EINVAL);
}

Result<MemFs::Open*> MemFs::find_handle(HandleId h, const Inode& n) const {
  if (h == HandleId::none) return nullptr;
  Open* o = handles_.find(NodeId{raw(h)});
  if (!o || o->node != &n) return err(EBADF);
  return o;
}

Opened MemFs::make_handle(Inode& n, uint32_t flags, uint64_t end) {
  Opened o;
  o.flags = uint32_t{kOpenedKeepCache} | (n.is_dir() ? kOpenedCacheDir : 0u) | (options_.locks ? 0u : kOpenedNoFlush);
  if (!options_.handles) return o;
  hold(n);
  try {
    o.handle = HandleId{raw(handles_.emplace(1, n, flags, end).id)};
  } catch (...) {
    drop(n);
    throw;
  }
  return o;
}

void MemFs::drop_handle(HandleId h) {
  NodeId id{raw(h)};
  Open* o = handles_.find(id);
  if (!o || !handles_.forget(id, 1)) return;
  Inode* n = o->node;
  handles_.erase(id);
  drop(*n);
}

// ---- what every operation needs ----

Attr MemFs::attr_of(const Inode& n) const {
  Attr a;
  a.ino = raw(id_of(n));
  a.mode = n.mode;
  a.nlink = n.nlink;
  a.uid = n.uid;
  a.gid = n.gid;
  a.rdev = n.rdev();
  a.atime = n.atime;
  a.mtime = n.mtime;
  a.ctime = n.ctime;
  a.btime = n.btime;
  a.has_btime = true;
  if (n.is_dir()) {
    a.size = 20 * (n.dir().size() + 2);
  } else if (n.is(S_IFLNK)) {
    a.size = n.size;
  } else if (n.is(S_IFREG)) {
    a.size = n.size;
    a.blocks = n.data().pages() * (kPage / 512);
  }
  if (n.extras) a.flags = static_cast<uint32_t>(statx_flags(n.extras->flags));
  return a;
}

Entry MemFs::entry_of(Inode& n) {
  Entry e;
  e.node = id_of(n);
  e.generation = generation_;
  e.entry_ttl = e.attr_ttl = options_.ttl;
  Shared lock(n.m);
  e.attr = attr_of(n);
  return e;
}

Status MemFs::check(const Context& ctx, const Inode& n, uint32_t want) {
  return skips_checks(ctx) ? Status(Unit{}) : may_access(ctx.cred, guard_of(n), want);
}

// An operation that reads or writes without a handle is checked itself; the owner may, as over NFS, because the mode
// may have changed since a client opened the file (and new files may be made read-only and then written).
Status MemFs::check_io(const Context& ctx, const Inode& n, HandleId h, uint32_t want) const {
  if (h != HandleId::none || skips_checks(ctx) || ctx.cred.uid == n.uid) return Unit{};
  return check(ctx, n, want);
}

// Immutable and append-only files (FS_IOC_SETFLAGS).
Status MemFs::may_change(const Inode& n) const {
  bool fixed = n.extras && (n.extras->flags & (FS_IMMUTABLE_FL | FS_APPEND_FL));
  return fixed ? Status(err(EPERM)) : Status(Unit{});
}

void MemFs::kill_privileges(const Context& ctx, Inode& n, bool asked) {
  if (!n.is(S_IFREG)) return;
  if (asked || (!skips_checks(ctx) && ctx.cred.uid != 0))
    n.mode = static_cast<uint16_t>(without_suidgid(ctx.cred, n.mode, n.gid));
}

// The relatime rule of mount(8), for every door: the FUSE client leaves access times to us.
bool MemFs::atime_is_due(const Inode& n, uint32_t flags) const {
  constexpr int64_t kDay = 86400;
  if (!options_.atime || (flags & O_NOATIME) || (n.extras && (n.extras->flags & FS_NOATIME_FL))) return false;
  Time a = n.atime;
  return a <= n.mtime || a <= n.ctime || clock_time(CLOCK_REALTIME_COARSE).sec - a.sec >= kDay;
}

void MemFs::set_atime(Inode& n) {
  Unique lock(n.m);
  if (atime_is_due(n, 0)) n.atime = now();
}

void MemFs::touch_atime(Inode& n, uint32_t flags) {
  {
    Shared lock(n.m);
    if (!atime_is_due(n, flags)) return;
  }
  set_atime(n);
}

}  // namespace isthmus::fs::mem
