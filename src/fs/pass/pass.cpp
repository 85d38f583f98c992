#include "fs/pass/pass.h"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <algorithm>

#include "fs/pass/open_dir.h"

namespace isthmus::fs::pass {

namespace {

constexpr Ttl kAutomaticTtlMs = 1000;
constexpr size_t kDefaultFds = 512;

size_t fd_limit(size_t wanted) {
  rlimit r{};
  size_t quarter = ::getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != RLIM_INFINITY ? r.rlim_cur / 4 : kDefaultFds;
  return std::max<size_t>(8, std::min(wanted ? wanted : kDefaultFds, quarter));
}

/// Stores that write when a file is closed, and may fail then.
bool reports_at_close(int fd) {
  constexpr uint32_t kLocal[] = {EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC,  BTRFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC,
                                 OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, MSDOS_SUPER_MAGIC, 0x2fc12fc1 /* zfs */};
  struct ::statfs s {};
  if (::fstatfs(fd, &s) < 0) return true;
  return std::find(std::begin(kLocal), std::end(kLocal), static_cast<uint32_t>(s.f_type)) == std::end(kLocal);
}

}  // namespace

PassFs::PassFs(std::string folder, PassOptions options) : folder_(std::move(folder)), options_(options) {
  // No negative entries: a file that others make in the folder is there at once, as with libfuse's negative_timeout=0.
  if (options_.cache == Cache::automatic) ttl_ = kAutomaticTtlMs;
  if (options_.cache == Cache::always) ttl_ = negative_ttl_ = kForever;
}

PassFs::~PassFs() = default;

Status PassFs::start(Upcalls& up) {
  if (auto s = FileSystem::start(up); !s) return s;
  // The one place where a path is followed: the folder that the user named.
  int fd = ::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return last_errno();
  auto root = share(fd);
  ids_ = std::make_unique<Identities>();
  ProcPath p(fd);
  posix_acl_ = ::getxattr(p.c_str(), "system.posix_acl_access", nullptr, 0) >= 0 || errno == ENODATA;
  flushes_ = reports_at_close(fd);
  return nodes_.start(std::move(root), options_.handles, fd_limit(options_.max_fds));
}

Traits PassFs::traits() const {
  Traits t;
  t.type = "pass";
  t.source = folder_;
  t.read_only = options_.read_only;
  t.dir_attr = true;
  t.posix_acl = posix_acl_;
  t.export_stable = nodes_.with_handles();
  t.changes_outside = options_.cache != Cache::always;
  t.write_back = options_.cache != Cache::none;
  t.kills_suidgid = true;
  return t;
}

Result<PassFs::Place> PassFs::place(NodeId dir, std::string_view name, Op op) {
  auto n = nodes_.get(dir, op);
  if (!n) return n.error();
  if ((*n)->type != S_IFDIR) return err(ENOTDIR);
  auto fd = nodes_.path(**n);
  if (!fd) return fd.error();
  Place p(*n, std::move(*fd), name);
  if (p.name.error()) return err(p.name.error());
  return p;
}

Entry PassFs::entry(const Node& n, const struct ::statx& st) const {
  Entry e;
  e.node = n.id;
  e.generation = n.generation;
  e.attr = attr(st);
  e.entry_ttl = e.attr_ttl = ttl_;
  return e;
}

Attributes PassFs::attributes(const struct ::statx& st) const { return {attr(st), ttl_}; }

Result<Entry> PassFs::enter(Place& at) {
  auto look = look_at(at.at(), at.c_str(), nodes_.with_handles());
  if (!look) return look.error();
  auto st = look->st;
  Node& n = nodes_.enter(*at.dir, at.at(), at.c_str(), std::move(*look));
  return entry(n, st);
}

}  // namespace isthmus::fs::pass
