#include <unistd.h>

#include <algorithm>
#include <memory>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

namespace {

constexpr size_t kCopyChunk = size_t{256} << 10;  // bytes held at a time
constexpr size_t kCopyAtMost = size_t{16} << 20;  // bytes an answer; a short copy is asked for again

/// For pairs of files between which the kernel does not copy.
Result<uint64_t> copy_by_hand(int from, off_t from_at, int to, off_t to_at, size_t length) {
  auto space = std::make_unique<char[]>(kCopyChunk);
  size_t done = 0;
  while (done < length) {
    ssize_t got = no_eintr([&] {
      return ::pread(from, space.get(), std::min(kCopyChunk, length - done), from_at + static_cast<off_t>(done));
    });
    if (got < 0 && done == 0) return last_errno();
    if (got <= 0) break;
    for (ssize_t put = 0; put < got;) {
      ssize_t n = no_eintr([&] {
        return ::pwrite(to, space.get() + put, static_cast<size_t>(got - put), to_at + static_cast<off_t>(done));
      });
      if (n <= 0 && done == 0) return n < 0 ? last_errno() : err(EIO);
      if (n <= 0) return done;
      put += n;
      done += static_cast<size_t>(n);
    }
  }
  return done;
}

}  // namespace

/// These operations have no kill_suidgid of their own, yet change a file as a write does.
Status PassFs::kill_for_stranger(const Context& ctx, int fd) {
  if (!ctx.cred.known || ctx.cred.uid == 0) return Unit{};
  return kill_suidgid(ctx, fd);
}

Status PassFs::fallocate(const Context& ctx, const op::Fallocate& a) {
  if (auto s = writable(); !s) return s;
  if (a.offset > INT64_MAX || a.length > INT64_MAX) return err(EFBIG);
  auto fd = data_fd(ctx, a.node, a.handle, O_WRONLY, Op::Fallocate);
  if (!fd) return fd.error();
  if (OpenFile* f = file(a.handle)) f->wrote.store(true, std::memory_order_relaxed);
  if (auto s = kill_for_stranger(ctx, (*fd)->get()); !s) return s;
  return check(no_eintr(
      [&] { return ::fallocate((*fd)->get(), a.mode, static_cast<off_t>(a.offset), static_cast<off_t>(a.length)); }));
}

Result<uint64_t> PassFs::seek_hole(const Context& ctx, const op::SeekHole& a) {
  if (a.whence != SEEK_DATA && a.whence != SEEK_HOLE) return err(EINVAL);
  if (a.offset > INT64_MAX) return err(ENXIO);
  auto fd = data_fd(ctx, a.node, a.handle, O_RDONLY, Op::SeekHole);
  if (!fd) return fd.error();
  // Moves the descriptor's offset, which nothing here uses; what it answers does not depend on it.
  off_t at = ::lseek((*fd)->get(), static_cast<off_t>(a.offset), a.whence);
  if (at < 0) return last_errno();
  return static_cast<uint64_t>(at);
}

Result<uint64_t> PassFs::copy_range(const Context& ctx, const op::CopyRange& a) {
  if (auto s = writable(); !s) return s.error();
  auto from = data_fd(ctx, a.from, a.from_handle, O_RDONLY, Op::CopyRange);
  if (!from) return from.error();
  auto to = data_fd(ctx, a.to, a.to_handle, O_WRONLY, Op::CopyRange);
  if (!to) return to.error();
  if (a.from_offset > INT64_MAX || a.to_offset > INT64_MAX) return err(EINVAL);
  if (OpenFile* f = file(a.to_handle)) f->wrote.store(true, std::memory_order_relaxed);
  if (auto s = kill_for_stranger(ctx, (*to)->get()); !s) return s.error();
  auto from_at = static_cast<off_t>(a.from_offset), to_at = static_cast<off_t>(a.to_offset);
  auto length = static_cast<size_t>(std::min<uint64_t>(a.length, INT64_MAX));
  off_t in = from_at, out = to_at;
  ssize_t n = no_eintr([&] { return ::copy_file_range((*from)->get(), &in, (*to)->get(), &out, length, a.flags); });
  if (n >= 0) return static_cast<uint64_t>(n);
  if (errno != EXDEV && errno != EOPNOTSUPP && errno != ENOSYS) return last_errno();
  return copy_by_hand((*from)->get(), from_at, (*to)->get(), to_at, std::min(length, kCopyAtMost));
}

}  // namespace isthmus::fs::pass
