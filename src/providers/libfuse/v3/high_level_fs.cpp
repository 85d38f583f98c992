#include "providers/libfuse/v3/high_level_fs.h"

#include <isthmus/fuse3/fuse_haiku.h>
#include <linux/limits.h>

#include <cerrno>
#include <cstring>

#include "providers/libfuse/v3/callbacks.h"
#include "providers/libfuse/v3/status.h"

namespace isthmus::libfuse {

HighLevelFs::HighLevelFs(std::unique_ptr<fuse_fs> top, const fuse_config& config)
    : top_(std::move(top)), config_(config) {
  const fuse_operations& ops = top_->op;
#ifdef FUSE_WINFSP_OPERATIONS
  const bool extended = ops.chflags || ops.setcrtime || ops.setchgtime;
#else
  constexpr bool extended = false;
#endif
  // open, release and their like for directories are ours as well; so is statfs, and access() that is not there.
  drop_missing(
      {
        Offered(Op::Setattr, ops.chmod || ops.chown || ops.truncate || ops.utimens || extended),
            Offered(Op::Readlink, ops.readlink), Offered(Op::Mknod, ops.mknod || ops.create),
            Offered(Op::Mkdir, ops.mkdir), Offered(Op::Unlink, ops.unlink), Offered(Op::Rmdir, ops.rmdir),
            Offered(Op::Symlink, ops.symlink), Offered(Op::Rename, ops.rename), Offered(Op::Link, ops.link),
            Offered(Op::Create, ops.create), Offered(Op::Read, ops.read || ops.read_buf),
            Offered(Op::Write, ops.write || ops.write_buf), Offered(Op::Flush, ops.flush || ops.lock),
            Offered(Op::Fsync, ops.fsync), Offered(Op::Fallocate, ops.fallocate), Offered(Op::SeekHole, ops.lseek),
            Offered(Op::CopyRange, ops.copy_file_range), Offered(Op::GetLock, ops.lock),
            Offered(Op::SetLock, ops.lock || ops.flock), Offered(Op::Ioctl, ops.ioctl), Offered(Op::Poll, ops.poll),
            Offered(Op::Bmap, ops.bmap), Offered(Op::ReadDir, ops.readdir), Offered(Op::FsyncDir, ops.fsyncdir),
            Offered(Op::GetXattr, ops.getxattr || extended), Offered(Op::SetXattr, ops.setxattr || extended),
            Offered(Op::ListXattr, ops.listxattr || extended),
#if ISTHMUS_FUSE3_SO >= 4
            Offered(Op::Sync, ops.syncfs),
#endif
            Offered(Op::RemoveXattr, ops.removexattr || extended)
      },
      [this](Op op) { drop(op); });
}

HighLevelFs::~HighLevelFs() {
  if (interrupt_signal_) Interrupter::restore(interrupt_signal_);
}

Traits HighLevelFs::traits() const {
  Traits t;
  t.dir_attr = true;
  // As for LowLevelFs.
  t.changes_outside = true;
  t.locks_shared = true;
  return t;
}

unsigned HighLevelFs::usual_wants() const {
  unsigned want = FUSE_CAP_SPLICE_READ | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                  FUSE_CAP_EXPORT_SUPPORT;
  if (top_->op.lock) want |= FUSE_CAP_POSIX_LOCKS;
  return want;
}

void HighLevelFs::init(fuse_conn_info& conn) {
#if ISTHMUS_FUSE3_SO < 4
  // For this program and us alone: no kernel hears of it.
  conn.capable |= FUSE_CAP_HAIKU_FUSE_EXTENSIONS | FUSE_CAP_STAT_EX | FUSE_CAP_CASE_INSENSITIVE;
#endif
  {
    Caller caller(owner);
    top_->init(conn, config_);
  }
#if ISTHMUS_FUSE3_SO < 4
  tells_volume_ = (conn.want & FUSE_CAP_HAIKU_FUSE_EXTENSIONS) && top_->op.ioctl;
  stat_ex_ = conn.want & FUSE_CAP_STAT_EX;
#ifdef FUSE_WINFSP_OPERATIONS
  ignores_case_ = (conn.want & FUSE_CAP_CASE_INSENSITIVE) && top_->op.getpath;
#endif
  conn.want &= ~(FUSE_CAP_HAIKU_FUSE_EXTENSIONS | FUSE_CAP_STAT_EX | FUSE_CAP_CASE_INSENSITIVE);
#endif
  paths_.keep(config_.remember);
  entry_ttl_ = to_ttl(config_.entry_timeout);
  attr_ttl_ = to_ttl(config_.attr_timeout);
  negative_ttl_ = to_ttl(config_.negative_timeout);
  if (!config_.intr) return;
  if (Interrupter::prepare(config_.intr_signal))
    interrupt_signal_ = config_.intr_signal;
  else
    message(FUSE_LOG_ERR, "fuse: callbacks are not interrupted: the signal %d of intr_signal cannot be had: %s\n",
            config_.intr_signal, strerror(errno));
}

void HighLevelFs::destroy() {
  Caller caller(owner);
  top_->destroy();
}

void HighLevelFs::remove_hidden() {
  std::vector<NodeId> hidden;
  paths_.for_each_named([&](NodeId id, PathNode& n) {
    if (n.hidden) hidden.push_back(id);
  });
  Caller caller(owner);
  for (NodeId id : hidden)
    if (auto held = paths_.hold({id})) top_->call(&fuse_operations::unlink, held->path());
}

// ---- what answers are made of ----

Result<PathTable::Held> HighLevelFs::hold_open(NodeId node) {
  if (config_.nullpath_ok) return PathTable::Held();
  return paths_.hold({node, {}, false, true});
}

PathTable::Held HighLevelFs::hold_if_possible(NodeId node) {
  auto held = hold_open(node);
  return held ? std::move(*held) : PathTable::Held();
}

void HighLevelFs::note_stat(NodeId node, const struct stat& st) {
  paths_.with(node, [&](PathNode& n) {
    n.directory = S_ISDIR(st.st_mode);
    if (!config_.auto_cache) return;
    Time mtime = to_time(st.st_mtim);
    auto size = static_cast<uint64_t>(st.st_size);
    if (n.mtime != mtime || n.size != size) n.cache_valid = false;
    n.mtime = mtime;
    n.size = size;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &n.seen);
  });
}

uint64_t HighLevelFs::ino_of(NodeId node) { return raw(node) & UINT32_MAX; }

unsigned HighLevelFs::mask_of([[maybe_unused]] mode_t mode) const {
#if ISTHMUS_FUSE3_SO >= 4
  if (config_.dmask && S_ISDIR(mode)) return config_.dmask;
  if (config_.fmask && !S_ISDIR(mode)) return config_.fmask;
#endif
  return config_.umask;
}

Attr HighLevelFs::shown(NodeId node, fuse_stat_ex extended) const {
  struct stat& st = extended.st;
  if (!config_.use_ino) st.st_ino = ino_of(node);
  if (config_.set_mode) st.st_mode = (st.st_mode & S_IFMT) | (0777 & ~mask_of(st.st_mode));
  if (config_.set_uid) st.st_uid = config_.uid;
  if (config_.set_gid) st.st_gid = config_.gid;
  return to_attr(extended);
}

Attributes HighLevelFs::attributes(NodeId node, const fuse_stat_ex& st) {
  note_stat(node, st.st);
  Attributes a{shown(node, st), attr_ttl_};
  paths_.with(node, [&](PathNode& n) {
    if (n.hidden && a.attr.nlink > 0) a.attr.nlink--;
  });
  return a;
}

Result<Entry> HighLevelFs::entry(NodeId dir, std::string_view name, const fuse_stat_ex& st) {
  auto node = paths_.look_up(dir, name);
  if (!node) return node.error();
  note_stat(*node, st.st);
  Entry e;
  e.node = *node;
  e.attr = shown(*node, st);
  e.entry_ttl = entry_ttl_;
  e.attr_ttl = attr_ttl_;
  return e;
}

Result<Entry> HighLevelFs::ask_entry(NodeId dir, std::string_view name, const char* path, fuse_file_info* fi) {
  fuse_stat_ex st;
  if (int rc = ask_stat(path, st, fi)) return error_of(rc);
  std::string as_written;
  return entry(dir, written(path, name, as_written), st);
}

std::string_view HighLevelFs::written([[maybe_unused]] const char* path, std::string_view name,
                                      [[maybe_unused]] std::string& kept) const {
#ifdef FUSE_WINFSP_OPERATIONS
  if (!ignores_case_) return name;
  kept.assign(PATH_MAX, '\0');
  fuse_file_info* none = nullptr;
  if (top_->call(&fuse_operations::getpath, path, kept.data(), kept.size(), none) != 0) return name;
  kept.resize(strnlen(kept.data(), kept.size()));
  const std::string_view last = std::string_view(kept).substr(kept.find_last_of('/') + 1);
  if (!last.empty()) return last;
#endif
  return name;
}

std::string_view HighLevelFs::written(NodeId dir, std::string_view name, std::string& kept) {
  if (!ignores_case_) return name;
  auto held = paths_.hold({dir, name});
  return held ? written(held->path(), name, kept) : name;
}

}  // namespace isthmus::libfuse
