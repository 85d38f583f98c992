#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "fs/mem/mem_fs.h"

/// fallocate(2), lseek(2) for holes, copy_file_range(2).
namespace isthmus::fs::mem {
namespace {

constexpr uint64_t kMaxSize = INT64_MAX;
constexpr size_t kCopyPiece = size_t{256} << 10;

/// The rules of fallocate(2) that do not depend on the file.
Status check_mode(int mode, uint64_t offset, uint64_t length) {
  constexpr int kShift = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;
  constexpr int kModes = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | kShift;
  if (offset > kMaxSize || length == 0 || length > kMaxSize) return err(EINVAL);
  if (mode & ~kModes) return err(EOPNOTSUPP);
  bool punch = mode & FALLOC_FL_PUNCH_HOLE;
  if (punch && (mode & FALLOC_FL_ZERO_RANGE)) return err(EOPNOTSUPP);
  if (punch && !(mode & FALLOC_FL_KEEP_SIZE)) return err(EOPNOTSUPP);
  if ((mode & kShift) && mode != FALLOC_FL_COLLAPSE_RANGE && mode != FALLOC_FL_INSERT_RANGE) return err(EINVAL);
  if (offset + length > kMaxSize) return err(EFBIG);
  if ((mode & kShift) && (offset % kPage || length % kPage)) return err(EINVAL);
  return Unit{};
}

/// Memory that cannot be there is not even tried.
bool beyond_memory(uint64_t length) {
  static const auto all = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * kPage;
  return length > all;
}

Status apply(Inode& n, const op::Fallocate& a, const Payer& payer) {
  uint64_t end = a.offset + a.length;
  FileData& d = n.data();
  if (a.mode & FALLOC_FL_COLLAPSE_RANGE) {
    if (end >= n.size) return err(EINVAL);
    d.collapse(a.offset, a.length, payer);
    n.size -= a.length;
    return Unit{};
  }
  if (a.mode & FALLOC_FL_INSERT_RANGE) {
    if (a.offset >= n.size) return err(EINVAL);
    if (n.size > kMaxSize - a.length) return err(EFBIG);
    d.insert(a.offset, a.length);
    n.size += a.length;
    return Unit{};
  }
  if (a.mode & FALLOC_FL_PUNCH_HOLE) {
    d.punch(a.offset, a.length, payer);
    return Unit{};
  }
  if (beyond_memory(a.length)) return err(ENOSPC);
  if (auto s = d.allocate(a.offset, a.length, payer); !s) return s;
  if (a.mode & FALLOC_FL_ZERO_RANGE) d.zero(a.offset, a.length);
  if (!(a.mode & FALLOC_FL_KEEP_SIZE)) n.size = std::max(n.size, end);
  return Unit{};
}

}  // namespace

Result<Unit> MemFs::fallocate(const Context& ctx, const op::Fallocate& a) {
  auto found = find(a.node, Op::Fallocate);
  if (!found) return found.error();
  Inode& n = **found;
  if (n.is_dir()) return err(EISDIR);
  if (!n.is(S_IFREG)) return err(ENODEV);
  if (auto s = check_mode(a.mode, a.offset, a.length); !s) return s;
  {
    Unique lock(n.m);
    if (auto s = check_io(ctx, n, a.handle, kWantWrite); !s) return s;
    if (n.extras) {
      if (n.extras->flags & FS_IMMUTABLE_FL) return err(EPERM);
      if ((n.extras->flags & FS_APPEND_FL) && (a.mode & ~FALLOC_FL_KEEP_SIZE)) return err(EPERM);
    }
    if (auto s = apply(n, a, payer(n)); !s) return s;
    kill_privileges(ctx, n, false);
    if (n.extras) remove_plain_xattr(n, "security.capability");
    changed(n, now());
  }
  if (watching()) notify_node(n, kWatchModified);
  return Unit{};
}

Result<uint64_t> MemFs::seek_hole(const Context&, const op::SeekHole& a) {
  auto n = find_file(a.node, Op::SeekHole);
  if (!n) return n.error();
  Shared lock((*n)->m);
  uint64_t size = (*n)->size;
  if (a.offset >= size) return err(ENXIO);
  if (a.whence == SEEK_HOLE) return std::min(size, (*n)->data().next_hole(a.offset));
  if (a.whence != SEEK_DATA) return err(EINVAL);
  uint64_t at = (*n)->data().next_data(a.offset);
  if (at >= size) return err(ENXIO);
  return at;
}

/// Piece by piece, each locked by itself: other writers may come between, as on Linux. Holes stay holes.
Result<uint64_t> MemFs::copy_range(const Context& ctx, const op::CopyRange& a) {
  auto from = find_file(a.from, Op::CopyRange), to = find_file(a.to, Op::CopyRange);
  if (!from) return from.error();
  if (!to) return to.error();
  if (a.flags) return err(EINVAL);
  if (a.from_offset > kMaxSize || a.to_offset > kMaxSize) return err(EINVAL);
  if (a.to_offset == kMaxSize && a.length) return err(EFBIG);
  Inode &src = **from, &dst = **to;
  uint64_t length = std::min(a.length, kMaxSize - a.to_offset);
  {
    Shared lock(src.m);
    if (auto s = check_io(ctx, src, a.from_handle, kWantRead); !s) return s.error();
    length = a.from_offset < src.size ? std::min(length, src.size - a.from_offset) : 0;
  }
  auto apart = [](uint64_t x, uint64_t y, uint64_t n) { return x >= y ? x - y >= n : y - x >= n; };
  if (&src == &dst && !apart(a.from_offset, a.to_offset, length)) return err(EINVAL);

  std::vector<std::byte> piece(static_cast<size_t>(std::min<uint64_t>(kCopyPiece, length)));
  uint64_t done = 0;
  Errno why{};
  while (done < length && why == Errno{}) {
    uint64_t offset = a.from_offset + done, count = 0;
    bool hole = false;
    {
      Shared lock(src.m);
      if (offset >= src.size) break;
      uint64_t rest = std::min(length - done, src.size - offset), data = src.data().next_data(offset);
      hole = data > offset;
      count = hole ? std::min(rest, data - offset) : std::min<uint64_t>(rest, piece.size());
      if (!hole) {
        count = std::min(count, src.data().next_hole(offset) - offset);
        src.data().read(offset, std::span(piece).first(static_cast<size_t>(count)));
      }
    }
    Unique lock(dst.m);
    if (auto s = check_io(ctx, dst, a.to_handle, kWantWrite); !s) return s.error();
    if (dst.extras && (dst.extras->flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))) return err(EPERM);
    if (hole)
      dst.data().punch(a.to_offset + done, count, payer(dst));
    else
      count = dst.data().write(a.to_offset + done, Bytes(piece).first(static_cast<size_t>(count)), payer(dst), why);
    done += count;
    if (!done) return why;
    if (count) dst.size = std::max(dst.size, a.to_offset + done);
    kill_privileges(ctx, dst, false);
    if (dst.extras) remove_plain_xattr(dst, "security.capability");
    changed(dst, now());
  }
  if (!done) return done;
  touch_atime(src, 0);
  if (watching()) notify_node(dst, kWatchModified);
  return done;
}

}  // namespace isthmus::fs::mem
