/// Names and nodes, attributes.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/high_level_fs.h"
#include "providers/libfuse/v3/name.h"
#include "providers/libfuse/v3/status.h"

namespace isthmus::libfuse {
namespace {

timespec time_to_set(const SetAttr& set, uint32_t given, uint32_t now, Time time) {
  if (set.mask & now) return {0, UTIME_NOW};
  return set.mask & given ? to_timespec(time) : timespec{0, UTIME_OMIT};
}

}  // namespace

Result<Entry> HighLevelFs::lookup(const Context& ctx, const op::Lookup& a) {
  Callback callback(*this, ctx);
  if (a.name == "." || a.name == "..") {
    // Servers of NFS ask so for what they know by its number alone.
    Result<NodeId> node = a.dir;
    if (a.name == "..")
      node = paths_.look_up_parent(a.dir);
    else if (Status s = paths_.look_up(a.dir); !s)
      node = s.error();
    if (!node) return node.error();
    fuse_stat_ex st;
    auto held = paths_.hold({*node});
    int rc = held ? ask_stat(held->path(), st) : -held.code();
    if (rc == 0) {
      Attributes known = attributes(*node, st);
      return Entry{*node, 0, known.attr, entry_ttl_, known.ttl};
    }
    paths_.forget(*node, 1);
    return error_of(rc);
  }
  auto held = paths_.hold({a.dir, a.name});
  if (!held) return held.error();
  auto e = ask_entry(a.dir, a.name, held->path());
  if (e || e.code() != ENOENT || negative_ttl_ == 0) return e;
  Entry none;
  none.entry_ttl = negative_ttl_;
  return none;
}

Result<Unit> HighLevelFs::forget(const Context&, const op::Forget& a) {
  paths_.forget(a.node, a.count);
  return Unit{};
}

Result<Attributes> HighLevelFs::getattr(const Context& ctx, const op::Getattr& a) {
  Callback callback(*this, ctx);
  bool with_handle = is_file_handle(a);
  auto held = with_handle && getattr_by_handle ? hold_open(a.node) : paths_.hold({a.node});
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle);
#if ISTHMUS_FUSE3_SO >= 4
  if (a.statx_mask && top_->op.statx) {
    struct statx sx {};
    int rc = top_->call(&fuse_operations::statx, held->path(), static_cast<int>(a.statx_flags),
                        static_cast<int>(a.statx_mask), &sx, with_handle ? &fi : nullptr);
    if (rc != -ENOSYS) return rc ? Result<Attributes>(error_of(rc)) : extended(a.node, to_attr(sx));
  }
#endif
  fuse_stat_ex st;
  if (int rc = ask_stat(held->path(), st, with_handle ? &fi : nullptr)) return error_of(rc);
  return attributes(a.node, st);
}

#if ISTHMUS_FUSE3_SO >= 4
Attributes HighLevelFs::extended(NodeId node, const Attr& told) {
  Attributes a = attributes(node, {to_stat(told), {}, 0, {}, {}});
  a.attr.has_btime = told.has_btime;
  a.attr.btime = told.btime;
  a.attr.flags = told.flags;
  return a;
}

Result<Unit> HighLevelFs::sync(const Context& ctx, const op::Sync&) {
  Callback callback(*this, ctx);
  return status_of(top_->call(&fuse_operations::syncfs, "/"));
}
#endif

Result<Attributes> HighLevelFs::setattr(const Context& ctx, const op::Setattr& a) {
  Callback callback(*this, ctx);
  bool with_handle = is_file_handle(a);
  auto held = with_handle && setattr_by_handle ? hold_open(a.node) : paths_.hold({a.node});
  if (!held) return held.error();
  fuse_file_info file = info_of(a.handle, 0, a.lock_owner), *fi = with_handle ? &file : nullptr;
  const char* path = held->path();
  const SetAttr& set = a.set;
  if (set.mask & kSetMode)
    if (int rc = top_->call(&fuse_operations::chmod, path, mode_t{set.to.mode}, fi)) return error_of(rc);
  if (set.mask & (kSetUid | kSetGid)) {
    uid_t uid = set.mask & kSetUid ? set.to.uid : uid_t(-1);
    gid_t gid = set.mask & kSetGid ? set.to.gid : gid_t(-1);
    if (int rc = top_->call(&fuse_operations::chown, path, uid, gid, fi)) return error_of(rc);
  }
  if (set.mask & kSetSize)
    if (int rc = top_->call(&fuse_operations::truncate, path, static_cast<off_t>(set.to.size), fi)) return error_of(rc);
  if (set.mask & (kSetAtime | kSetAtimeNow | kSetMtime | kSetMtimeNow)) {
    const timespec times[] = {time_to_set(set, kSetAtime, kSetAtimeNow, set.to.atime),
                              time_to_set(set, kSetMtime, kSetMtimeNow, set.to.mtime)};
    if (int rc = top_->call(&fuse_operations::utimens, path, times, fi)) return error_of(rc);
  }
#ifdef FUSE_WINFSP_OPERATIONS
  if (stat_ex_ && (set.mask & kSetBtime)) {
    const timespec time = to_timespec(set.to.btime);
    if (int rc = top_->call(&fuse_operations::setcrtime, path, &time)) return error_of(rc);
  }
  if (stat_ex_ && (set.mask & kSetCtime) && top_->op.setchgtime) {
    const timespec time = to_timespec(set.to.ctime);
    if (int rc = top_->call(&fuse_operations::setchgtime, path, &time)) return error_of(rc);
  }
#endif
  fuse_stat_ex st;
  if (int rc = ask_stat(path, st, fi)) return error_of(rc);
  return attributes(a.node, st);
}

Result<std::string> HighLevelFs::readlink(const Context& ctx, const op::Readlink& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  std::array<char, PATH_MAX + 1> target{};
  if (int rc = top_->call(&fuse_operations::readlink, held->path(), target.data(), target.size())) return error_of(rc);
  target.back() = '\0';
  return std::string(target.data());
}

template <class F>
Result<Entry> HighLevelFs::make(const Context& ctx, NodeId dir, std::string_view name, F callback) {
  Callback around(*this, ctx);
  auto held = paths_.hold({dir, name});
  if (!held) return held.error();
  if (int rc = callback(held->path())) return error_of(rc);
  return ask_entry(dir, name, held->path());
}

Result<Entry> HighLevelFs::mknod(const Context& ctx, const op::Mknod& a) {
  if (S_ISREG(a.mode) && top_->op.create) {
    // A program with create() need not have mknod().
    Callback callback(*this, ctx);
    auto held = paths_.hold({a.dir, a.name});
    if (!held) return held.error();
    fuse_file_info fi{};
    fi.flags = O_CREAT | O_EXCL | O_WRONLY;
    int rc = top_->call(&fuse_operations::create, held->path(), mode_t{a.mode}, &fi);
    if (rc == 0) {
      auto e = ask_entry(a.dir, a.name, held->path(), &fi);
      top_->call_or_succeed(&fuse_operations::release, held->path(), &fi);
      return e;
    }
    if (rc != -ENOSYS) return error_of(rc);
  }
  return make(ctx, a.dir, a.name, [&](const char* path) {
    return top_->call(&fuse_operations::mknod, path, mode_t{a.mode}, dev_t{a.rdev});
  });
}

Result<Entry> HighLevelFs::mkdir(const Context& ctx, const op::Mkdir& a) {
  return make(ctx, a.dir, a.name,
              [&](const char* path) { return top_->call(&fuse_operations::mkdir, path, mode_t{a.mode}); });
}

Result<Entry> HighLevelFs::symlink(const Context& ctx, const op::Symlink& a) {
  Name target(ctx, a.target);
  return make(ctx, a.dir, a.name, [&](const char* path) {
    return top_->call(&fuse_operations::symlink, static_cast<const char*>(target), path);
  });
}

Result<Entry> HighLevelFs::link(const Context& ctx, const op::Link& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node}, {a.to_dir, a.to_name});
  if (!held) return held.error();
  if (int rc = top_->call(&fuse_operations::link, held->path(), held->second())) return error_of(rc);
  // A name of its own is a node of its own: paths are all that is known.
  return ask_entry(a.to_dir, a.to_name, held->second());
}

Result<Unit> HighLevelFs::access(const Context& ctx, const op::Access& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  return status_of(top_->call(&fuse_operations::access, held->path(), a.mask));
}

// ---- names that go ----

bool HighLevelFs::is_open(NodeId dir, std::string_view name) {
  bool open = false;
  paths_.with(paths_.find(dir, name), [&](PathNode& n) { open = n.opens > 0; });
  return open;
}

Status HighLevelFs::hide(const char* path, NodeId dir, std::string_view name) {
  constexpr int kTries = 10;
  NodeId node = paths_.find(dir, name);
  for (int i = 0; i < kTries; i++) {
    std::array<char, 32> hidden{};
    unsigned count = ++hidden_count_;
    snprintf(hidden.data(), hidden.size(), ".fuse_hidden%08x%08x", static_cast<unsigned>(raw(node)), count);
    if (paths_.find(dir, hidden.data()) != NodeId::none) continue;
    std::string_view whole(path);
    std::string to = std::string(whole.substr(0, whole.size() - name.size())) + hidden.data();
    fuse_stat_ex st;
    int rc = ask_stat(to.c_str(), st);
    if (rc == 0) continue;
    if (rc != -ENOENT) break;
    if (rc = top_->call(&fuse_operations::rename, path, to.c_str(), 0u); rc != 0) return error_of(rc);
    paths_.rename(dir, name, dir, hidden.data());
    bool closed = false;  // meanwhile, by who holds no path
    paths_.with(node, [&](PathNode& n) {
      closed = n.opens == 0;
      n.hidden = !closed;
    });
    if (closed && top_->call(&fuse_operations::unlink, to.c_str()) == 0) paths_.remove(dir, hidden.data());
    return Unit{};
  }
  return err(EBUSY);
}

Result<Unit> HighLevelFs::unlink(const Context& ctx, const op::Unlink& a) {
  Callback callback(*this, ctx);
  std::string kept;
  const std::string_view name = written(a.dir, a.name, kept);
  auto held = paths_.hold({a.dir, name, true});
  if (!held) return held.error();
  if (!config_.hard_remove && is_open(a.dir, name)) return hide(held->path(), a.dir, name);
  if (int rc = top_->call(&fuse_operations::unlink, held->path())) return error_of(rc);
  paths_.remove(a.dir, name);
  return Unit{};
}

Result<Unit> HighLevelFs::rmdir(const Context& ctx, const op::Rmdir& a) {
  Callback callback(*this, ctx);
  std::string kept;
  const std::string_view name = written(a.dir, a.name, kept);
  auto held = paths_.hold({a.dir, name, true});
  if (!held) return held.error();
  if (int rc = top_->call(&fuse_operations::rmdir, held->path())) return error_of(rc);
  paths_.remove(a.dir, name);
  return Unit{};
}

Result<Unit> HighLevelFs::rename(const Context& ctx, const op::Rename& a) {
  Callback callback(*this, ctx);
  std::string kept, kept_other;
  const std::string_view name = written(a.dir, a.name, kept);
  // What it replaces keeps the case it is written in; a name that only changes its own gets the new one.
  const std::string_view other = written(a.to_dir, a.to_name, kept_other);
  const bool same = a.dir == a.to_dir && name == other;
  auto held = paths_.hold({a.dir, name, true}, {a.to_dir, same ? a.to_name : other, true});
  if (!held) return held.error();
  bool exchange = a.flags & RENAME_EXCHANGE;
  if (!config_.hard_remove && !exchange && !same && is_open(a.to_dir, other))
    if (Status s = hide(held->second(), a.to_dir, other); !s) return s;
  if (int rc = top_->call(&fuse_operations::rename, held->path(), held->second(), a.flags)) return error_of(rc);
  if (exchange)
    paths_.exchange(a.dir, name, a.to_dir, other);
  else
    paths_.rename(a.dir, name, a.to_dir, same ? a.to_name : other);
  return Unit{};
}

}  // namespace isthmus::libfuse
