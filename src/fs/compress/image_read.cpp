#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "fs/compress/image.h"

namespace isthmus::fs::compress {

size_t Image::index(uint64_t offset) const {
  auto it =
      std::upper_bound(chunks_.begin(), chunks_.end(), offset, [](uint64_t at, const Chunk& c) { return at < c.at; });
  return static_cast<size_t>(it - chunks_.begin()) - 1;
}

Errno Image::damaged(const Chunk& c, Errno e) {
  if (e == err(EIO) && !told_.exchange(true))
    log(LogLevel::error, "compress: '{}': the frame at byte {} of the stored file is damaged, or cannot be read",
        label_(), c.where);
  return e;
}

Result<PlainRef> Image::decode(const Chunk& c) {
  auto stored = std::make_unique_for_overwrite<std::byte[]>(c.stored);
  const MutableBytes bytes(stored.get(), c.stored);
  auto n = file_of(c).read_at(c.where, bytes);
  if (!n) return n.error();
  if (*n != bytes.size()) return err(EIO);
  if (c.stored == zero_frame_size(c.size) && as_text(bytes) == make_zero_frame(c.size))
    return std::make_shared<const Plain>(Plain{nullptr, c.size});
  Plain p{std::make_unique_for_overwrite<std::byte[]>(c.size), c.size};
  if (auto s = decompress_frame(bytes, {p.bytes.get(), p.size}); !s) return s.error();
  return std::make_shared<const Plain>(std::move(p));
}

Result<PlainRef> Image::frame_of(const Chunk& c) {
  return shared_.cache.get({file_of(c).number(), c.where, 0}, [&] { return decode(c); });
}

Result<PlainRef> Image::piece_of(const Chunk& c, uint64_t number) {
  return shared_.cache.get({base_->number(), c.where, number + 1}, [&] {
    std::shared_ptr<BigFrame> big;
    {
      std::lock_guard lock(m_);
      auto& known = bigs_[c.where];
      if (!known)
        known = std::make_shared<BigFrame>(*base_, c.where, c.where + c.stored, c.size, shared_.spool_directory.get(),
                                           shared_.options.spool);
      big = known;
    }
    return big->piece(number);
  });
}

Status Image::read_chunk(const Chunk& c, uint64_t at, MutableBytes to) {
  if (c.in == In::dirty) {
    std::memcpy(to.data(), c.data.get() + at, to.size());
  } else if (c.in == In::zeros) {
    std::memset(to.data(), 0, to.size());
  } else if (!is_big(c)) {
    auto p = frame_of(c);
    if (!p) return damaged(c, p.error());
    (*p)->copy(at, to);
  } else {
    while (!to.empty()) {
      auto p = piece_of(c, at / BigFrame::kPiece);
      if (!p) return damaged(c, p.error());
      const uint64_t inside = at % BigFrame::kPiece;
      const size_t n = std::min<size_t>(to.size(), (*p)->size - inside);
      (*p)->copy(inside, to.first(n));
      to = to.subspan(n);
      at += n;
    }
  }
  return Unit{};
}

Result<size_t> Image::read(uint64_t offset, MutableBytes to) {
  if (offset >= size_ || to.empty()) return size_t{0};
  to = to.first(static_cast<size_t>(std::min<uint64_t>(to.size(), size_ - offset)));
  size_t done = 0;
  for (size_t i = index(offset); done < to.size(); i++) {
    const Chunk& c = chunks_[i];
    const uint64_t inside = offset + done - c.at;
    const size_t n = static_cast<size_t>(std::min<uint64_t>(to.size() - done, c.size - inside));
    if (auto s = read_chunk(c, inside, to.subspan(done, n)); !s) {
      if (done == 0) return s.error();
      break;
    }
    done += n;
  }
  return done;
}

/// The offset, or the end of the chunk when there is none in it.
Result<uint64_t> Image::seek_in(const Chunk& c, uint64_t offset, bool data) {
  constexpr uint64_t kBlock = 4096;
  const uint64_t end = c.at + c.size;
  if (c.in == In::dirty) {
    for (uint64_t at = offset; at < end; at = (at / kBlock + 1) * kBlock) {
      const size_t n = static_cast<size_t>(std::min((at / kBlock + 1) * kBlock, end) - at);
      if (all_zero({c.data.get() + (at - c.at), n}) != data) return at;
    }
    return end;
  }
  bool zeros = c.in == In::zeros;
  if (!zeros && !is_big(c) && c.stored == zero_frame_size(c.size)) {
    auto p = frame_of(c);
    if (!p) return damaged(c, p.error());
    zeros = !(*p)->bytes;
  }
  return zeros != data ? offset : end;
}

Result<uint64_t> Image::seek(uint64_t offset, bool data) {
  for (size_t i = index(offset); i < chunks_.size(); i++) {
    auto at = seek_in(chunks_[i], std::max(offset, chunks_[i].at), data);
    if (!at || *at < chunks_[i].at + chunks_[i].size) return at;
  }
  return size_;
}

}  // namespace isthmus::fs::compress
