#include "fs/archive/spool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/result.h"
#include "base/unlinked_file.h"

namespace isthmus::fs::archive {
namespace {

constexpr uint64_t kLeastSegment = 1 << 20, kMemorySegment = 1 << 20;
constexpr size_t kSegments = 64, kBigSegments = 8, kMemorySegments = 16;
// Small pieces are counted as this much, which bounds how many there are and so the memory of the table.
constexpr uint64_t kGrain = 1024;

}  // namespace

void Spool::Piece::append_to(Buffer& to, uint64_t from, size_t n) const {
  if (segment->fd)
    to.append(Buffer::FileRange{segment->fd.get(), at + from, n, segment});
  else
    to.append(Buffer::Owned{segment, Bytes(segment->memory.get() + at + from, n)});
}

Spool::Spool(const Setup& s) : name_(s.name), size_(std::max(s.size, kLeastSegment * kBigSegments * 2)) {
  segment_size_ = std::max(size_ / kSegments, kLeastSegment);  // so there are few descriptors, however large it is
  if (!s.in_memory) dir_ = cache_directory(s.directory);
  if (!dir_ && !s.in_memory) {
    log(LogLevel::warning, "{}: no directory for the cache of decoded data ({}); {} MiB of memory are used instead",
        name_, s.directory.empty() ? "set TMPDIR or cache_dir" : s.directory.c_str(),
        kMemorySegment * kMemorySegments >> 20);
    memory_ = true;
  }
  most_ = {std::max<size_t>(2, static_cast<size_t>(size_ / segment_size_) - kBigSegments), kBigSegments};
}

std::optional<Spool::Piece> Spool::find(uint32_t node, uint64_t number) {
  std::lock_guard lock(m_);
  auto it = places_.find({node, number});
  if (it == places_.end()) return {};
  it->second.segment->last_use = ++clock_;
  return Piece{it->second.segment, it->second.at, it->second.length};
}

Spool::Piece Spool::loose(Bytes bytes) {
  auto s = std::make_shared<Segment>();
  s->memory = std::make_unique_for_overwrite<std::byte[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(s->memory.get(), bytes.data(), bytes.size());
  return {s, 0, static_cast<uint32_t>(bytes.size())};
}

void Spool::to_memory(int error) {
  if (!memory_.exchange(true))
    log(LogLevel::warning,
        "{}: the cache of decoded data cannot grow ({}); going on with {} MiB of memory, which is slower", name_,
        text_of(err(error)), kMemorySegment * kMemorySegments >> 20);
}

std::shared_ptr<Spool::Segment> Spool::make_segment() {
  auto s = std::make_shared<Segment>();
  if (!memory_) {
    s->fd = dir_ ? unlinked_file(dir_.get()) : Fd(::memfd_create("isthmus-archive-cache", MFD_CLOEXEC));
    s->size = segment_size_;
    if (s->fd) return s;
    to_memory(errno);
  }
  s->memory = std::make_unique_for_overwrite<std::byte[]>(kMemorySegment);
  s->size = kMemorySegment;
  return s;
}

// Under m_.
void Spool::drop_oldest(Pool pool) {
  auto& all = segments_[pool];
  auto oldest = std::min_element(all.begin(), all.end(), [](auto& a, auto& b) { return a->last_use < b->last_use; });
  for (auto& [node, number] : (*oldest)->keys) {
    auto it = places_.find({node, number});
    if (it != places_.end() && it->second.segment == *oldest) places_.erase(it);
  }
  (*oldest)->live = false;
  all.erase(oldest);
}

// Under m_.
std::shared_ptr<Spool::Segment> Spool::reserve(Pool pool, uint64_t length, uint64_t& at) {
  auto& all = segments_[pool];
  uint64_t room = round_up(length, kGrain);
  bool fits = !all.empty() && all.back()->used + room <= all.back()->size && (!memory_ || !all.back()->fd);
  if (!fits) {
    size_t most = memory_ ? std::min(most_[pool], kMemorySegments / 2) : most_[pool];
    while (all.size() >= most) drop_oldest(pool);
    all.push_back(make_segment());
  }
  auto& s = all.back();
  at = s->used;
  s->used += room;
  s->last_use = ++clock_;
  return s;
}

Spool::Piece Spool::put(uint32_t node, uint64_t number, Bytes bytes, bool big) {
  uint64_t at = 0;
  std::shared_ptr<Segment> s;
  {
    std::lock_guard lock(m_);
    s = reserve(big ? kBig : kMain, bytes.size(), at);
  }
  if (s->fd) {
    for (size_t done = 0; done < bytes.size();) {
      ssize_t n =
          broken_ ? -1 : ::pwrite(s->fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
      if (broken_) errno = ENOSPC;
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        to_memory(n < 0 ? errno : ENOSPC);
        return loose(bytes);
      }
      done += static_cast<size_t>(n);
    }
  } else if (!bytes.empty()) {
    std::memcpy(s->memory.get() + at, bytes.data(), bytes.size());
  }
  auto length = static_cast<uint32_t>(bytes.size());
  std::lock_guard lock(m_);
  if (s->live) {
    s->keys.emplace_back(node, number);
    places_[{node, number}] = {s, at, length};
  }
  return {s, at, length};
}

}  // namespace isthmus::fs::archive
