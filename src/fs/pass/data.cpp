#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

namespace {

constexpr size_t kSpliceFrom = size_t{64} << 10;  // bytes; below, a read into the door's memory is cheaper
constexpr int kFmodeExec = 0x20;                  // what Linux adds to the flags of an execve

Errno cannot_open(uint32_t type) { return err(type == S_IFDIR ? EISDIR : type == S_IFLNK ? ELOOP : ENXIO); }

/// write(2)'s share of the work: all of it, or what went before an error.
Result<size_t> write_all(int fd, std::vector<iovec>& parts, uint64_t offset, int rwf) {
  size_t done = 0, first = 0;
  while (first < parts.size()) {
    int count = static_cast<int>(std::min<size_t>(parts.size() - first, IOV_MAX));
    ssize_t n = no_eintr([&] { return ::pwritev2(fd, &parts[first], count, static_cast<off_t>(offset + done), rwf); });
    if (n < 0 || (n == 0 && done > 0)) {
      if (done > 0) return done;
      return last_errno();
    }
    if (n == 0) return done;
    done += static_cast<size_t>(n);
    for (auto left = static_cast<size_t>(n); left > 0;) {
      iovec& v = parts[first];
      size_t take = std::min(left, v.iov_len);
      v.iov_base = static_cast<char*>(v.iov_base) + take;
      v.iov_len -= take;
      left -= take;
      if (v.iov_len == 0) first++;
    }
    while (first < parts.size() && parts[first].iov_len == 0) first++;
  }
  return done;
}

}  // namespace

Result<SharedFd> PassFs::open_regular(const Context& ctx, Node& n, uint32_t flags) {
  // Opening a fifo would block the server, opening a device would touch hardware: whoever mounts us does that itself.
  if (n.type != S_IFREG) return cannot_open(n.type);
  int safe = safe_flags(flags);
  if (acts_as_server(ctx)) return nodes_.open(n, safe);
  if (flags & kFmodeExec) {  // a program may be run by those who may not read it
    op::Access x;
    x.node = n.id;
    x.mask = X_OK;
    if (auto s = access(ctx, x); !s) return s.error();
    return nodes_.open(n, safe);
  }
  return nodes_.open_as(n, safe, [&] { return AsCaller(*ids_, ctx, AsCaller::Why::check); });
}

Result<Opened> PassFs::opened(Node& n, SharedFd fd, int flags, const struct ::statx* st) {
  Opened o;
  o.backing_fd = fd->get();
  if (options_.cache == Cache::none) o.flags |= kOpenedDirectIo | kOpenedParallelWrites;
  if (options_.cache == Cache::always) o.flags |= kOpenedKeepCache;
  if (heard(n)) {
    o.flags |= kOpenedKeepCache;
  } else if (options_.cache == Cache::automatic) {
    Result<struct ::statx> now = st ? Result<struct ::statx>(*st) : stat_at(fd->get(), "");
    if (!now) return now.error();
    uint64_t is = fingerprint(*now), was = nodes_.swap_seen(n, is);
    if (was == is) o.flags |= kOpenedKeepCache;
    // A door that is told of changes may keep what is cached whatever an open says.
    if (watch_ && was != 0 && was != is) up()->invalidate_node(n.id, 0, 0);
  }
  if (!late(n)) o.flags |= kOpenedNoFlush;
  nodes_.opened(n, fd);
  auto f = files_.emplace(1, &n, std::move(fd), flags);
  o.handle = HandleId{raw(f.id)};
  return o;
}

Result<Opened> PassFs::open(const Context& ctx, const op::Open& a) {
  bool writes = (a.flags & O_ACCMODE) != O_RDONLY || (a.flags & O_TRUNC);
  if (auto s = writable(); writes && !s) return s.error();
  auto n = nodes_.get(a.node, Op::Open);
  if (!n) return n.error();
  auto fd = open_regular(ctx, **n, a.flags);
  if (!fd) return fd.error();
  if (a.kill_suidgid && (a.flags & O_TRUNC))
    if (auto s = kill_suidgid(ctx, (*fd)->get()); !s) return s.error();
  return opened(**n, std::move(*fd), safe_flags(a.flags), nullptr);
}

Result<SharedFd> PassFs::data_fd(const Context& ctx, NodeId node, HandleId h, int access, Op op) {
  OpenFile* f = file(h);
  if (!f && h != HandleId::none) return err(EBADF);
  if (f && (access != O_RDONLY || (f->flags & O_ACCMODE) != O_WRONLY)) return f->fd;
  if (!f) {
    auto n = nodes_.get(node, op);
    if (!n) return n.error();
    if (!shares(ctx) || late(**n)) return open_regular(ctx, **n, static_cast<uint32_t>(access));
    if ((*n)->type != S_IFREG) return cannot_open((*n)->type);
    return nodes_.data(**n, access == O_RDONLY ? Use::read : Use::write);
  }
  std::lock_guard lock(f->m);
  if (!f->read_fd) {
    auto fd = nodes_.open(*f->node, O_RDONLY | O_CLOEXEC);
    if (!fd) return fd;
    f->read_fd = std::move(*fd);
  }
  return f->read_fd;
}

Result<Buffer> PassFs::read(const Context& ctx, const op::Read& a) {
  auto fd = data_fd(ctx, a.node, a.handle, O_RDONLY, Op::Read);
  if (!fd) return fd.error();
  if (a.offset > INT64_MAX) return err(EINVAL);
  size_t size = std::min<uint64_t>(a.size, INT64_MAX - a.offset);
  int raw_fd = (*fd)->get();
  if (size >= kSpliceFrom) return Buffer::file(raw_fd, a.offset, size, std::move(*fd));
  std::string own;
  MutableBytes into = a.into;
  if (into.size() < size) {
    own.resize(size);
    into = std::as_writable_bytes(std::span(own));
  }
  size_t done = 0;
  while (done < size) {
    ssize_t n =
        no_eintr([&] { return ::pread(raw_fd, into.data() + done, size - done, static_cast<off_t>(a.offset + done)); });
    if (n < 0 && done == 0) return last_errno();
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  if (own.empty()) return Buffer::filled(done);
  own.resize(done);
  return Buffer::own(std::move(own));
}

Result<size_t> PassFs::write(const Context& ctx, const op::Write& a) {
  if (auto s = writable(); !s) return s.error();
  auto fd = data_fd(ctx, a.node, a.handle, O_WRONLY, Op::Write);
  if (!fd) return fd.error();
  if (a.offset > INT64_MAX) return err(EFBIG);
  if (a.kill_suidgid)
    if (auto s = kill_suidgid(ctx, (*fd)->get()); !s) return s.error();
  OpenFile* f = file(a.handle);
  if (f) f->wrote.store(true, std::memory_order_relaxed);

  std::vector<iovec> parts;
  std::string copy;
  for (auto& segment : a.data->segments())
    if (auto* m = std::get_if<Buffer::Owned>(&segment)) {
      if (!m->bytes.empty()) parts.push_back({const_cast<std::byte*>(m->bytes.data()), m->bytes.size()});
    } else {
      copy.resize(a.data->size());
      auto n = a.data->copy_to(std::as_writable_bytes(std::span(copy)));
      if (!n) return n.error();
      parts.assign(1, {copy.data(), *n});
      break;
    }
  int rwf = 0;
  if (a.append && !a.from_cache) rwf |= RWF_APPEND;  // what a cache writes back has its place already
  if (a.through && !(f && (f->flags & (O_SYNC | O_DSYNC)))) rwf |= RWF_SYNC;
  auto done = write_all((*fd)->get(), parts, a.offset, rwf);
  // Where nobody waits for close(2) (Traits::flush_for_locks), the write itself must hear what that would say.
  if (done && by_node_)
    if (Node* n = nodes_.find(a.node); n && late(*n))
      if (auto s = close_now((*fd)->get()); !s) return s.error();
  return done;
}

bool PassFs::late(const Node& n) const {
  if (n.key.dev == nodes_.root_dev()) return flushes_;
  return !n.mount || n.key.dev != n.mount->dev || n.mount->late;
}

Status PassFs::close_now(int fd) {
  // Closing a duplicate makes network file systems write, and say what they could not.
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return last_errno();
  return check(::close(copy));
}

Status PassFs::flush(const Context&, const op::Flush& a) {
  OpenFile* f = file(a.handle);
  return f && late(*f->node) ? close_now(f->fd->get()) : Status(Unit{});
}

Status PassFs::release(const Context&, const op::Release& a) {
  OpenFile* f = file(a.handle);
  if (!f) return Unit{};
  if (f->wrote.load(std::memory_order_relaxed) && options_.cache == Cache::automatic && !heard(*f->node))
    if (auto st = stat_at(f->fd->get(), "")) nodes_.swap_seen(*f->node, fingerprint(*st));
  files_.erase(NodeId{raw(a.handle)});
  return Unit{};
}

Status PassFs::fsync(const Context& ctx, const op::Fsync& a) {
  bool shared = a.handle == HandleId::none && shares(ctx);  // may be open for reading only, which is as good
  auto fd = data_fd(ctx, a.node, a.handle, shared ? O_RDONLY : O_WRONLY, Op::Fsync);
  if (!fd && fd.error() == err(EACCES)) fd = data_fd(ctx, a.node, a.handle, O_RDONLY, Op::Fsync);
  if (!fd) return fd.error();
  return check(no_eintr([&] { return a.data_only ? ::fdatasync((*fd)->get()) : ::fsync((*fd)->get()); }));
}

Status PassFs::sync(const Context&, const op::Sync&) {
  Status result = Unit{};
  for (auto& m : nodes_.mounts().all()) {
    SharedFd fd = m->fd;
    if (!fd) {
      auto root = nodes_.path(*nodes_.find(NodeId::root));
      if (!root) return root.error();
      auto opened =
          nodes_.fds().make([&] { return ::openat((*root)->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
      if (!opened) return opened.error();
      fd = std::move(*opened);
    }
    if (no_eintr([&] { return ::syncfs(fd->get()); }) < 0) result = last_errno();
  }
  return result;
}

}  // namespace isthmus::fs::pass
