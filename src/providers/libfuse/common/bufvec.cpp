#include "providers/libfuse/common/bufvec.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace isthmus::libfuse {
namespace {

const fuse_buf* current(const fuse_bufvec& v) { return v.idx < v.count ? &v.buf[v.idx] : nullptr; }

/// `n` more bytes of the list are through.
void advance(fuse_bufvec& v, size_t n) {
  v.off += n;
  if (v.off < v.buf[v.idx].size) return;
  v.idx++;
  v.off = 0;
}

bool is_fd(const fuse_buf& b) { return b.flags & FUSE_BUF_IS_FD; }
char* memory(const fuse_buf& b, size_t off) { return static_cast<char*>(b.mem) + off; }

/// One transfer between memory and a descriptor, or with FUSE_BUF_FD_RETRY all of it. Bytes, or -errno if none.
ssize_t transfer(const fuse_buf& file, size_t off, char* mem, size_t size, bool out) {
  size_t done = 0;
  while (done < size) {
    off_t pos = file.pos + static_cast<off_t>(off + done);
    ssize_t n;
    if (file.flags & FUSE_BUF_FD_SEEK)
      n = out ? pwrite(file.fd, mem + done, size - done, pos) : pread(file.fd, mem + done, size - done, pos);
    else
      n = out ? write(file.fd, mem + done, size - done) : read(file.fd, mem + done, size - done);
    if (n < 0 && done == 0) return -errno;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
    if (!(file.flags & FUSE_BUF_FD_RETRY)) break;
  }
  return static_cast<ssize_t>(done);
}

ssize_t between_files(const fuse_buf& to, size_t to_off, const fuse_buf& from, size_t from_off, size_t size) {
  std::array<char, 65536> piece;
  size_t done = 0;
  while (done < size) {
    size_t want = std::min(size - done, piece.size());
    ssize_t got = transfer(from, from_off + done, piece.data(), want, false);
    if (got <= 0) return done ? static_cast<ssize_t>(done) : got;
    ssize_t put = transfer(to, to_off + done, piece.data(), static_cast<size_t>(got), true);
    if (put < 0) return done ? static_cast<ssize_t>(done) : put;
    done += static_cast<size_t>(put);
    if (put < got || static_cast<size_t>(got) < want) break;
  }
  return static_cast<ssize_t>(done);
}

ssize_t copy_one(const fuse_buf& to, size_t to_off, const fuse_buf& from, size_t from_off, size_t size) {
  if (is_fd(to) && is_fd(from)) return between_files(to, to_off, from, from_off, size);
  if (is_fd(to)) return transfer(to, to_off, memory(from, from_off), size, true);
  if (is_fd(from)) return transfer(from, from_off, memory(to, to_off), size, false);
  if (memory(to, to_off) != memory(from, from_off)) memmove(memory(to, to_off), memory(from, from_off), size);
  return static_cast<ssize_t>(size);
}

}  // namespace

fuse_bufvec one_piece_list(const void* mem, size_t size) {
  fuse_bufvec v = FUSE_BUFVEC_INIT(size);
  v.buf[0].mem = const_cast<void*>(mem);
  return v;
}

size_t size_of(const fuse_bufvec& v) {
  size_t size = 0;
  for (size_t i = 0; i < v.count; i++) {
    if (v.buf[i].size >= SIZE_MAX - size) return SIZE_MAX;
    size += v.buf[i].size;
  }
  return size;
}

ssize_t copy(fuse_bufvec& to, fuse_bufvec& from) {
  if (&to == &from) return static_cast<ssize_t>(size_of(to));
  size_t done = 0;
  for (;;) {
    const fuse_buf *a = current(from), *b = current(to);
    if (!a || !b) break;
    size_t size = std::min(a->size - from.off, b->size - to.off);
    ssize_t n = copy_one(*b, to.off, *a, from.off, size);
    if (n < 0) {
      if (done == 0) return n;
      break;
    }
    done += static_cast<size_t>(n);
    advance(from, static_cast<size_t>(n));
    advance(to, static_cast<size_t>(n));
    if (static_cast<size_t>(n) < size) break;
  }
  return static_cast<ssize_t>(done);
}

bool borrow(const fuse_bufvec& from, Buffer& to) {
  for (size_t i = from.idx; i < from.count; i++) {
    const fuse_buf& b = from.buf[i];
    size_t off = i == from.idx ? from.off : 0;
    if (b.size <= off) continue;
    if (!is_fd(b)) {
      to.append(Buffer::Owned{nullptr, {reinterpret_cast<const std::byte*>(memory(b, off)), b.size - off}});
    } else if (b.flags & FUSE_BUF_FD_SEEK) {
      to.append(Buffer::FileRange{b.fd, static_cast<uint64_t>(b.pos) + off, b.size - off, nullptr});
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace isthmus::libfuse
