#include "fs/pass/pass.h"

#include <sys/resource.h>
#include <sys/xattr.h>

#include <algorithm>

#include "base/log.h"
#include "fs/pass/open_dir.h"

namespace isthmus::fs::pass {

namespace {

constexpr Ttl kAutomaticTtlMs = 1000;
// Where others' changes are heard. The attributes' is shorter for the little that is not (docs/pass.md).
constexpr Ttl kHeardNameTtlMs = 60'000, kHeardAttrTtlMs = 10'000;
// Programs that write many files need them all for a moment. Only where others' removals are heard: what is open here
// keeps its space on the store.
constexpr size_t kDefaultFds = 512, kHeardFds = 4096;

size_t fd_limit(size_t wanted) {
  rlimit r{};
  bool limited = ::getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur != RLIM_INFINITY;
  return std::max<size_t>(8, limited ? std::min<size_t>(wanted, r.rlim_cur / 4) : wanted);
}

}  // namespace

PassFs::PassFs(std::string folder, PassOptions options) : folder_(std::move(folder)), options_(options) {
  // No negative entries: a file that others make in the folder is there at once, as with libfuse's negative_timeout=0.
  if (options_.cache == Cache::automatic) ttl_ = kAutomaticTtlMs;
  if (options_.cache == Cache::always) ttl_ = negative_ttl_ = kForever;
  listings_ = std::make_unique<Listings>();
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
  return begin_watch(std::move(root));
}

/// Nodes start with the watch, if there is to be one, and it with them.
Status PassFs::begin_watch(SharedFd root) {
  int folder = root->get();
  auto fds = [&](size_t by_default) { return fd_limit(options_.max_fds ? options_.max_fds : by_default); };
  Errno why = err(EINVAL);
  if (options_.cache == Cache::automatic && options_.handles && options_.watch != Watching::off) {
    auto w = Watch::make();
    if (w)
      watch_ = std::move(*w);
    else
      why = w.error();
  }
  if (auto s = nodes_.start(std::move(root), options_.handles, fds(kDefaultFds), watch_.get()); !s) return s;
  if (watch_ && nodes_.find(NodeId::root)->watched) {
    nodes_.fds().set_limit(fds(kHeardFds));
    watch_->begin(nodes_, *up(), folder);
    by_node_ = ids_->can_switch() && watch_->works() && !flushes_;
    return Unit{};
  }
  if (options_.watch != Watching::on) return Unit{};
  if (watch_) why = err(EOPNOTSUPP);
  log(LogLevel::error, "watch=on: changes of others in '{}' cannot be heard: {}; docs/pass.md says what it takes",
      folder_, why == err(EINVAL) ? "it needs cache=auto and kernel handles" : text_of(why));
  return why;
}

void PassFs::stop() {
  if (watch_) watch_->stop();
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
  t.tells_changes = heard(*nodes_.find(NodeId::root));
  t.write_back = options_.cache != Cache::none;
  t.kills_suidgid = true;
  t.inode_addressed = t.flush_for_locks = by_node_;
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

Entry PassFs::entry(const Node* dir, Node& n, const struct ::statx& st) {
  notice(n, st);
  Entry e;
  e.node = n.id;
  e.generation = n.generation;
  e.attr = attr(st);
  e.entry_ttl = e.attr_ttl = ttl_;
  if (heard(n)) {
    e.attr_ttl = kHeardAttrTtlMs;
    if (dir && heard(*dir)) e.entry_ttl = kHeardNameTtlMs;
  }
  return e;
}

Attributes PassFs::attributes(Node& n, const struct ::statx& st) {
  notice(n, st);
  return {attr(st), heard(n) ? kHeardAttrTtlMs : ttl_};
}

Ttl PassFs::negative_ttl(const Node& dir) const { return heard(dir) ? kHeardNameTtlMs : negative_ttl_; }

/// A door that was promised to be told of changes compares nothing itself. Of files that are not heard of we notice
/// here, at the latest when their attributes are asked for again.
void PassFs::notice(Node& n, const struct ::statx& st) {
  if (!watch_ || n.type != S_IFREG || heard(n)) return;
  uint64_t is = fingerprint(st), was = nodes_.swap_seen(n, is);
  if (was != 0 && was != is) up()->invalidate_node(n.id, 0, 0);
}

Result<Entry> PassFs::enter(Place& at) {
  auto look = look_at(at.at(), at.c_str(), nodes_.with_handles());
  if (!look) return look.error();
  auto st = look->st;
  Node& n = nodes_.enter(*at.dir, at.at(), at.c_str(), std::move(*look));
  return entry(at.dir, n, st);
}

}  // namespace isthmus::fs::pass
