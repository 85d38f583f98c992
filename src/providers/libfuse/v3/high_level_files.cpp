/// Open files.
#include <fcntl.h>

#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/dir_handle.h"
#include "providers/libfuse/v3/high_level_fs.h"
#include "providers/libfuse/v3/status.h"

namespace isthmus::libfuse {
namespace {

double seconds_since(const timespec& then) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<double>(now.tv_sec - then.tv_sec) + static_cast<double>(now.tv_nsec - then.tv_nsec) / 1e9;
}

}  // namespace

// ---- open and close ----

Opened HighLevelFs::opened(NodeId node, const char* path, fuse_file_info& fi) {
  if (config_.direct_io) fi.direct_io = 1;
  if (config_.kernel_cache) fi.keep_cache = 1;
  if (config_.auto_cache) {
    bool old = false;
    paths_.with(node, [&](PathNode& n) { old = n.cache_valid && seconds_since(n.seen) > config_.ac_attr_timeout; });
    if (old) {
      struct stat st {};
      int rc = top_->call(&fuse_operations::getattr, path, &st, &fi);
      if (rc == 0)
        note_stat(node, st);
      else
        paths_.with(node, [](PathNode& n) { n.cache_valid = false; });
    }
    paths_.with(node, [&](PathNode& n) {
      if (n.cache_valid) fi.keep_cache = 1;
      n.cache_valid = true;
    });
  }
#if ISTHMUS_FUSE3_SO >= 4
  if (fi.direct_io && config_.parallel_direct_writes) fi.parallel_direct_writes = 1;
#endif
  if (config_.no_rofd_flush && (fi.flags & O_ACCMODE) == O_RDONLY) fi.noflush = 1;
  paths_.with(node, [](PathNode& n) { n.opens++; });
  return to_opened(fi);
}

Result<Opened> HighLevelFs::open(const Context& ctx, const op::Open& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  fuse_file_info fi = info_of(HandleId::none, a.flags);
  set_kill_suidgid(fi, hears_suidgid && a.kill_suidgid);
  if (int rc = top_->call_or_succeed(&fuse_operations::open, held->path(), &fi)) return error_of(rc);
  return opened(a.node, held->path(), fi);
}

Result<Created> HighLevelFs::create(const Context& ctx, const op::Create& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.dir, a.name});
  if (!held) return held.error();
  fuse_file_info fi = info_of(HandleId::none, a.flags);
  set_kill_suidgid(fi, hears_suidgid && a.kill_suidgid);
  if (int rc = top_->call(&fuse_operations::create, held->path(), mode_t{a.mode}, &fi)) return error_of(rc);
  auto e = ask_entry(a.dir, a.name, held->path(), &fi);
  if (e && !S_ISREG(e->attr.mode)) {
    paths_.forget(e->node, 1);
    e = err(EIO);
  }
  if (!e) {
    top_->call_or_succeed(&fuse_operations::release, held->path(), &fi);
    return e.error();
  }
  if (config_.direct_io) fi.direct_io = 1;
  if (config_.kernel_cache) fi.keep_cache = 1;
#if ISTHMUS_FUSE3_SO >= 4
  if (fi.direct_io && config_.parallel_direct_writes) fi.parallel_direct_writes = 1;
#endif
  paths_.with(e->node, [](PathNode& n) { n.opens++; });
  return Created{*e, to_opened(fi)};
}

Result<Unit> HighLevelFs::flush(const Context& ctx, const op::Flush& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle, 0, a.lock_owner);
  fi.flush = 1;
  int rc = top_->call(&fuse_operations::flush, held->path(), &fi);
  Lock all;
  all.owner = a.lock_owner;
  struct flock fl = to_flock(all);
  if (top_->call(&fuse_operations::lock, held->path(), &fi, F_SETLK, &fl) != -ENOSYS) {
    paths_.with(a.node, [&](PathNode& n) { n.locks.remove_owner(a.lock_owner); });
    if (rc == -ENOSYS) rc = 0;
  }
  return status_of(rc);
}

Result<Unit> HighLevelFs::release(const Context& ctx, const op::Release& a) {
  Callback callback(*this, ctx);
  PathTable::Held held = hold_if_possible(a.node);
  fuse_file_info fi = info_of(a.handle, a.flags, a.lock_owner);
  fi.flock_release = a.unlock_flock;
  top_->call_or_succeed(&fuse_operations::release, held.path(), &fi);
  bool last_of_hidden = false;
  paths_.with(a.node, [&](PathNode& n) {
    if (n.opens > 0) n.opens--;
    last_of_hidden = n.hidden && n.opens == 0;
    if (last_of_hidden) n.hidden = false;
  });
  if (!last_of_hidden) return Unit{};
  if (!held.path())
    if (auto named = paths_.hold({a.node})) held = std::move(*named);
  if (held.path()) top_->call(&fuse_operations::unlink, held.path());
  return Unit{};
}

// ---- data ----

Result<Buffer> HighLevelFs::data(const Context& ctx, const op::Read& a, List& list) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle, a.flags, a.lock_owner);
  auto offset = static_cast<off_t>(a.offset);
  // The kernel takes an answer's memory and files before reply() returns; other doors may look at them later.
  if (top_->op.read_buf && ctx.door == DoorKind::fuse) {
    fuse_bufvec* got = nullptr;
    int rc = top_->read_buf(held->path(), &got, a.size, offset, &fi);
    list.reset(got);
    if (rc < 0 || !list) return rc < 0 ? error_of(rc) : err(EIO);
    Buffer borrowed;
    if (borrow(*list, borrowed)) return borrowed;
    std::string bytes(size_of(*list), '\0');
    fuse_bufvec to = one_piece_list(bytes.data(), bytes.size());
    ssize_t n = copy(to, *list);
    if (n < 0) return error_of(n);
    bytes.resize(static_cast<size_t>(n));
    return Buffer::own(std::move(bytes));
  }
  std::string bytes;
  if (a.into.size() < a.size) bytes.resize(a.size);
  char* to = bytes.empty() ? reinterpret_cast<char*>(a.into.data()) : bytes.data();
  int n = top_->read(held->path(), to, a.size, offset, &fi);
  if (n < 0) return error_of(n);
  if (bytes.empty()) return Buffer::filled(static_cast<size_t>(n));
  bytes.resize(static_cast<size_t>(n));
  return Buffer::own(std::move(bytes));
}

void HighLevelFs::read(Call<op::Read> c) {
  List list;
  c.finish(data(c.context(), *c, list));
}

Result<size_t> HighLevelFs::write(const Context& ctx, const op::Write& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  std::string room;
  auto data = a.data->in_one_piece(room);
  if (!data) return data.error();
  fuse_file_info fi = info_of(a.handle, a.flags, a.lock_owner);
  fi.writepage = a.from_cache;
  set_kill_suidgid(fi, hears_suidgid && a.kill_suidgid);
  fuse_bufvec list = one_piece_list(data->data(), data->size());
  return number_of<size_t>(top_->write_buf(held->path(), &list, static_cast<off_t>(a.offset), &fi));
}

Result<Unit> HighLevelFs::fsync(const Context& ctx, const op::Fsync& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle);
  return status_of(top_->call(&fuse_operations::fsync, held->path(), int{a.data_only}, &fi));
}

Result<Unit> HighLevelFs::fallocate(const Context& ctx, const op::Fallocate& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle);
  return status_of(top_->call(&fuse_operations::fallocate, held->path(), a.mode, static_cast<off_t>(a.offset),
                              static_cast<off_t>(a.length), &fi));
}

Result<uint64_t> HighLevelFs::seek_hole(const Context& ctx, const op::SeekHole& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle);
  return number_of<uint64_t>(
      top_->call(&fuse_operations::lseek, held->path(), static_cast<off_t>(a.offset), a.whence, &fi));
}

Result<uint64_t> HighLevelFs::copy_range(const Context& ctx, const op::CopyRange& a) {
  Callback callback(*this, ctx);
  PathTable::Held held;
  if (!config_.nullpath_ok) {
    auto both = paths_.hold({a.from, {}, false, true}, {a.to, {}, false, true});
    if (!both) return both.error();
    held = std::move(*both);
  }
  fuse_file_info from_file = info_of(a.from_handle), to_file = info_of(a.to_handle);
  return number_of<uint64_t>(top_->call(&fuse_operations::copy_file_range, held.path(), &from_file,
                                        static_cast<off_t>(a.from_offset), held.second(), &to_file,
                                        static_cast<off_t>(a.to_offset), size_t{a.length}, static_cast<int>(a.flags)));
}

// ---- locks and the rest ----

Result<Lock> HighLevelFs::get_lock(const Context& ctx, const op::GetLock& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  // Those of this mount are known here; the program may know others.
  Lock in_the_way;
  paths_.with(a.node, [&](PathNode& n) {
    if (auto* other = n.locks.conflict(a.lock)) in_the_way = other->lock;
  });
  if (in_the_way.type != LockType::unlock) return in_the_way;
  fuse_file_info fi = info_of(a.handle, 0, a.lock.owner);
  struct flock fl = to_flock(a.lock);
  if (int rc = top_->call(&fuse_operations::lock, held->path(), &fi, F_GETLK, &fl)) return error_of(rc);
  return to_lock(fl, 0);
}

Result<Unit> HighLevelFs::set_lock(const Context& ctx, const op::SetLock& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle, 0, a.lock.owner);
  if (a.whole_file)
    return status_of(top_->call(&fuse_operations::flock, held->path(), &fi, to_flock_operation(a.lock, a.wait)));
  struct flock fl = to_flock(a.lock);
  if (int rc = top_->call(&fuse_operations::lock, held->path(), &fi, a.wait ? F_SETLKW : F_SETLK, &fl))
    return error_of(rc);
  paths_.with(a.node, [&](PathNode& n) { n.locks.set(a.lock, a.handle); });
  return Unit{};
}

Result<IoctlReply> HighLevelFs::ioctl(const Context& ctx, const op::Ioctl& a) {
  if (a.unrestricted) return err(EPERM);
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.directory ? DirHandle::programs(a.handle) : a.handle);
  IoctlReply reply;
  reply.out.assign(reinterpret_cast<const char*>(a.in.data()), a.in.size());
  reply.out.resize(std::max(a.out_max, a.in.size()));
  auto* arg = reinterpret_cast<void*>(a.arg);  // NOLINT(performance-no-int-to-ptr): the API's
  int rc = top_->call(&fuse_operations::ioctl, held->path(), unsigned{a.command}, arg, &fi, to_ioctl_flags(a),
                      static_cast<void*>(reply.out.empty() ? nullptr : reply.out.data()));
  if (rc < 0) return error_of(rc);
  reply.result = rc;
  reply.out.resize(a.out_max);
  return reply;
}

Result<uint32_t> HighLevelFs::poll(const Context& ctx, const op::Poll& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(a.handle);
  fi.poll_events = a.events;
  auto* wanted = a.arm ? new fuse_pollhandle{session, a.node, a.handle} : nullptr;
  unsigned ready = 0;
  if (int rc = top_->call(&fuse_operations::poll, held->path(), &fi, wanted, &ready)) return error_of(rc);
  return ready;
}

Result<uint64_t> HighLevelFs::bmap(const Context& ctx, const op::Bmap& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  uint64_t block = a.block;
  if (int rc = top_->call(&fuse_operations::bmap, held->path(), size_t{a.block_size}, &block)) return error_of(rc);
  return block;
}

}  // namespace isthmus::libfuse
