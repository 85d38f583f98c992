#include <algorithm>
#include <cstring>
#include <limits>

#include "fs/compress/image.h"

namespace isthmus::fs::compress {
namespace {

constexpr uint64_t kHoleMost = kWholeFrame;  // so that one is decoded as a whole, should it come to that
constexpr uint64_t kDirtyMost = uint64_t{16} << 20;

}  // namespace

Image::Image(Shared& shared, std::shared_ptr<OpenBelow> base, Layout layout, std::function<std::string()> label,
             MakeTemporary make_temporary)
    : shared_(shared),
      base_(std::move(base)),
      label_(std::move(label)),
      make_temporary_(std::move(make_temporary)),
      replaces_content_(layout.plain > 0) {
  chunks_.reserve(layout.frames.size());
  for (auto& f : layout.frames) {
    chunks_.push_back({size_, f.plain, f.at, f.stored, nullptr, 0, In::base});
    size_ += f.plain;
  }
}

Image::~Image() { shared_.dirty.fetch_sub(dirty_bytes_, std::memory_order_relaxed); }

// ---- memory ----

void Image::set_data(Chunk& c, uint64_t room) {
  c.data = std::make_unique_for_overwrite<std::byte[]>(room);
  c.room = static_cast<uint32_t>(room);
  c.in = In::dirty;
  dirty_.insert(c.at);
  dirty_bytes_ += room;
  shared_.dirty.fetch_add(room, std::memory_order_relaxed);
}

void Image::drop_data(Chunk& c) {
  if (c.in != In::dirty) return;
  dirty_.erase(c.at);
  dirty_bytes_ -= c.room;
  shared_.dirty.fetch_sub(c.room, std::memory_order_relaxed);
  c.data.reset();
  c.room = 0;
  c.in = In::zeros;
}

Image::Chunk Image::new_dirty(uint64_t at, uint64_t size, uint64_t room) {
  Chunk c;
  c.at = at;
  c.size = size;
  set_data(c, room);
  return c;
}

void Image::replace(size_t i, std::vector<Chunk> by) {
  drop_data(chunks_[i]);
  // The first takes the old one's place, so that the common case of one moves nothing.
  chunks_[i] = std::move(by[0]);
  chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(i) + 1, std::make_move_iterator(by.begin() + 1),
                 std::make_move_iterator(by.end()));
}

// ---- making chunks writable ----

/// Chunk `i`, or the part of it that `offset` is in, becomes dirty. overwritten: all of it will be written, so that its
/// content need not be decoded.
Status Image::make_dirty(size_t i, uint64_t offset, bool overwritten) {
  Chunk& c = chunks_[i];
  if (c.in == In::dirty) return Unit{};
  if (c.size > 2 * frame()) {
    if (c.in == In::zeros) return split_zeros(i, offset);
    if (!is_big(c)) return split_frame(i);
  }
  if (c.in != In::zeros && is_big(c)) {
    if (auto s = reframe(i); !s) return s;
    return make_dirty(index(offset), offset, false);
  }
  const uint64_t room = std::max(frame(), c.size);
  PlainRef was;
  if (c.in != In::zeros && !overwritten) {
    auto p = frame_of(c);
    if (!p) return damaged(c, p.error());
    was = std::move(*p);
  }
  set_data(c, room);
  if (was)
    was->copy(0, {c.data.get(), c.size});
  else if (!overwritten)
    std::memset(c.data.get(), 0, c.size);
  return Unit{};
}

Status Image::split_zeros(size_t i, uint64_t offset) {
  const Chunk& c = chunks_[i];
  const uint64_t before = (offset - c.at) / frame() * frame(), size = std::min(frame(), c.size - before);
  const uint64_t at = c.at, end = c.at + c.size;
  std::vector<Chunk> by;
  if (before > 0) {
    by.emplace_back();
    by.back().at = at;
    by.back().size = before;
  }
  by.push_back(new_dirty(at + before, size, frame()));
  std::memset(by.back().data.get(), 0, size);
  if (at + before + size < end) {
    by.emplace_back();
    by.back().at = at + before + size;
    by.back().size = end - by.back().at;
  }
  replace(i, std::move(by));
  return Unit{};
}

Status Image::split_frame(size_t i) {
  const uint64_t at = chunks_[i].at, size = chunks_[i].size;
  auto p = frame_of(chunks_[i]);
  if (!p) return damaged(chunks_[i], p.error());
  std::vector<Chunk> by;
  for (uint64_t done = 0; done < size; done += frame()) {
    by.push_back(new_dirty(at + done, std::min(frame(), size - done), frame()));
    (*p)->copy(done, {by.back().data.get(), by.back().size});
  }
  replace(i, std::move(by));
  return Unit{};
}

/// A frame that cannot be decoded as a whole becomes many, once.
Status Image::reframe(size_t i) {
  std::vector<Chunk> by;
  const uint64_t at = chunks_[i].at, size = chunks_[i].size;
  std::vector<std::byte> plain;
  for (uint64_t done = 0; done < size; done += frame()) {
    plain.resize(static_cast<size_t>(std::min(frame(), size - done)));
    if (auto s = read_chunk(chunks_[i], done, plain); !s) return s;
    auto c = to_scratch(at + done, plain);
    if (!c) return c.error();
    by.push_back(std::move(*c));
  }
  replace(i, std::move(by));
  return Unit{};
}

Result<Image::Chunk> Image::to_scratch(uint64_t at, Bytes plain) {
  Chunk c;
  c.at = at;
  c.size = plain.size();
  if (all_zero(plain)) return c;
  if (!scratch_) {
    auto t = make_temporary_();
    if (!t) return t.error();
    scratch_ = std::move(*t);
  }
  auto frame = compress_frame(plain, shared_.options.level);
  if (!frame) return frame.error();
  auto where = scratch_->append(as_bytes(*frame));
  if (!where) return where.error();
  c.where = *where;
  c.stored = frame->size();
  c.in = In::scratch;
  return c;
}

/// Memory is bounded: what is full waits in the scratch file, all but the chunk that begins at `keep`.
Status Image::evict(uint64_t keep) {
  const uint64_t most = std::min(kDirtyMost, shared_.options.cache / 4);
  auto next = dirty_.begin();
  while (next != dirty_.end() &&
         (dirty_bytes_ > most || shared_.dirty.load(std::memory_order_relaxed) > shared_.options.cache)) {
    const uint64_t at = *next++;
    Chunk& c = chunks_[index(at)];
    if (at == keep || (c.size < frame() && c.at + c.size == size_)) continue;
    auto moved = to_scratch(at, {c.data.get(), c.size});
    if (!moved) return moved.error();
    drop_data(c);
    c = std::move(*moved);
  }
  return Unit{};
}

// ---- changes ----

/// As much of `data` at the end as one chunk takes.
Status Image::append(Bytes& data) {
  bool fits = !chunks_.empty() && chunks_.back().size < frame() && !is_big(chunks_.back());
  if (fits) {
    if (auto s = make_dirty(chunks_.size() - 1, chunks_.back().at, false); !s) return s;
  } else {
    if (chunks_.size() >= kMostFrames) return err(EFBIG);
    chunks_.push_back(new_dirty(size_, 0, frame()));
  }
  Chunk& c = chunks_.back();
  const size_t n = static_cast<size_t>(std::min<uint64_t>(data.size(), frame() - c.size));
  std::memcpy(c.data.get() + c.size, data.data(), n);
  c.size += n;
  size_ += n;
  data = data.subspan(n);
  return Unit{};
}

Status Image::write(uint64_t offset, Bytes data) {
  if (data.empty()) return Unit{};
  if (offset > kMostPlain || data.size() > kMostPlain - offset) return err(EFBIG);
  changed_ = true;
  if (offset > size_) grow(offset);
  while (!data.empty()) {
    uint64_t wrote_at = 0;
    if (offset == size_) {
      const size_t before = data.size();
      if (auto s = append(data); !s) return s;
      offset += before - data.size();
      wrote_at = chunks_.back().at;
    } else {
      size_t i = index(offset);
      const bool overwritten = offset == chunks_[i].at && data.size() >= chunks_[i].size;
      if (auto s = make_dirty(i, offset, overwritten); !s) return s;
      i = index(offset);
      Chunk& c = chunks_[i];
      const size_t n = static_cast<size_t>(std::min<uint64_t>(data.size(), c.at + c.size - offset));
      std::memcpy(c.data.get() + (offset - c.at), data.data(), n);
      data = data.subspan(n);
      offset += n;
      wrote_at = c.at;
    }
    if (auto s = evict(wrote_at); !s) return s;
  }
  return Unit{};
}

void Image::grow(uint64_t size) {
  if (!chunks_.empty()) {
    Chunk& c = chunks_.back();
    const uint64_t limit = c.in == In::dirty ? c.room : c.in == In::zeros ? kHoleMost : 0;
    if (c.size < limit) {
      const uint64_t more = std::min(limit - c.size, size - size_);
      if (c.in == In::dirty) std::memset(c.data.get() + c.size, 0, more);
      c.size += more;
      size_ += more;
    }
  }
  while (size_ < size) {
    Chunk c;
    c.at = size_;
    c.size = std::min(kHoleMost, size - size_);
    size_ += c.size;
    chunks_.push_back(std::move(c));
  }
}

Status Image::resize(uint64_t size) {
  if (size > kMostPlain) return err(EFBIG);
  if (size == size_) return Unit{};
  changed_ = true;
  if (size > size_) {
    grow(size);
    return Unit{};
  }
  if (size > 0) {
    const size_t i = index(size);
    if (size > chunks_[i].at && chunks_[i].in != In::zeros)
      if (auto s = make_dirty(i, size, false); !s) return s;
  }
  while (!chunks_.empty() && chunks_.back().at >= size) {
    drop_data(chunks_.back());
    chunks_.pop_back();
  }
  if (!chunks_.empty()) chunks_.back().size = size - chunks_.back().at;
  size_ = size;
  return Unit{};
}

void Image::clear() {
  for (auto& c : chunks_) drop_data(c);
  chunks_.clear();
  scratch_.reset();
  size_ = 0;
  changed_ = replaces_content_ = true;
}

Status Image::zero(uint64_t offset, uint64_t length) {
  if (offset >= size_ || length == 0) return Unit{};
  const uint64_t end = length > size_ - offset ? size_ : offset + length;
  changed_ = true;
  while (offset < end) {
    size_t i = index(offset);
    if (offset == chunks_[i].at && chunks_[i].at + chunks_[i].size <= end) {
      drop_data(chunks_[i]);
      chunks_[i].in = In::zeros;
      chunks_[i].stored = 0;  // or it would be taken for a big one
      if (chunks_[i].size > kHoleMost) {
        std::vector<Chunk> by;
        for (uint64_t at = chunks_[i].at, last = at + chunks_[i].size; at < last; at += kHoleMost) {
          by.emplace_back();
          by.back().at = at;
          by.back().size = std::min(kHoleMost, last - at);
        }
        replace(i, std::move(by));
        i = index(offset);
      }
      offset = chunks_[i].at + chunks_[i].size;
      continue;
    }
    if (chunks_[i].in != In::zeros) {
      if (auto s = make_dirty(i, offset, false); !s) return s;
      i = index(offset);
    }
    Chunk& c = chunks_[i];
    const uint64_t to = std::min(end, c.at + c.size);
    if (c.in == In::dirty) std::memset(c.data.get() + (offset - c.at), 0, to - offset);
    const uint64_t at = c.at;
    offset = to;
    if (auto s = evict(at); !s) return s;
  }
  return Unit{};
}

// ---- storing ----

/// Puts frames one behind the other into a file.
class Image::Writer {
 public:
  Writer(Temporary& file, std::vector<Frame>& frames, int level) : file_(file), frames_(frames), level_(level) {}

  Status zeros(uint64_t size) {
    zeros_ += size;
    return Unit{};
  }
  Status plain(Bytes bytes) {
    if (all_zero(bytes)) return zeros(bytes.size());
    if (auto s = flush_zeros(); !s) return s;
    auto frame = compress_frame(bytes, level_);
    if (!frame) return frame.error();
    return put(*frame, bytes.size());
  }
  /// `length` bytes of `from` that hold the frames of [first, last).
  Status copy(OpenBelow& from, uint64_t where, const Chunk* first, const Chunk* last) {
    if (auto s = flush(); !s) return s;
    const uint64_t to = file_.end, length = (last - 1)->where + (last - 1)->stored - where;
    file_.written = std::max(file_.written, to + length);
    if (auto s = file_.file().copy_from(from, where, to, length); !s) return s;
    file_.end += length;
    for (; first != last; first++) frames_.push_back({first->where - where + to, first->stored, first->size});
    return Unit{};
  }
  Status finish() {
    if (auto s = flush_zeros(); !s) return s;
    if (frames_.empty())
      if (auto s = put(make_empty_frame(), 0); !s) return s;
    if (frames_.size() > kMostFrames) return err(EFBIG);
    pending_ += make_seek_table(frames_);
    if (auto s = flush(); !s) return s;
    return file_.written > file_.end ? file_.file().truncate(file_.end) : Status(Unit{});
  }

 private:
  static constexpr size_t kPending = size_t{1} << 20;
  Status put(const std::string& frame, uint64_t plain) {
    frames_.push_back({file_.end + pending_.size(), frame.size(), plain});
    pending_ += frame;
    return pending_.size() < kPending ? Status(Unit{}) : flush();
  }
  Status flush_zeros() {
    while (zeros_ > 0) {
      const uint64_t n = std::min(zeros_, kHoleMost);
      zeros_ -= n;
      if (auto s = put(make_zero_frame(n), n); !s) return s;
    }
    return Unit{};
  }
  Status flush() {
    if (auto s = flush_zeros(); !s) return s;
    if (pending_.empty()) return Unit{};
    auto at = file_.append(as_bytes(pending_));
    pending_.clear();
    return at ? Status(Unit{}) : Status(at.error());
  }

  Temporary& file_;
  std::vector<Frame>& frames_;
  const int level_;
  std::string pending_;
  uint64_t zeros_ = 0;
};

Result<Image::Stored> Image::store() {
  // A table cannot say more than 32 bits of a frame.
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  for (size_t i = 0; i < chunks_.size(); i++)
    if (chunks_[i].in != In::zeros && (chunks_[i].size > kMost || chunks_[i].stored > kMost))
      if (auto s = reframe(i); !s) return s.error();

  // The usual long file was written front to back, and is in the scratch file already.
  Stored out;
  size_t done = 0;
  uint64_t end = 0;
  while (scratch_ && done < chunks_.size() && chunks_[done].in == In::scratch && chunks_[done].where == end)
    end += chunks_[done++].stored;
  const bool in_place = scratch_ && end == scratch_->end && end > 0;
  if (in_place) {
    for (size_t i = 0; i < done; i++) out.frames.push_back({chunks_[i].where, chunks_[i].stored, chunks_[i].size});
    out.file = std::move(scratch_);
  } else {
    done = 0;
    auto t = make_temporary_();
    if (!t) return t.error();
    out.file = std::move(*t);
  }

  Writer writer(*out.file, out.frames, shared_.options.level);
  Status s = Unit{};
  for (size_t i = done; s && i < chunks_.size();) {
    const Chunk& c = chunks_[i];
    if (c.in == In::zeros) {
      s = writer.zeros(c.size);
      i++;
    } else if (c.in == In::dirty) {
      s = writer.plain({c.data.get(), c.size});
      i++;
    } else {
      size_t last = i + 1;
      while (last < chunks_.size() && chunks_[last].in == c.in &&
             chunks_[last].where == chunks_[last - 1].where + chunks_[last - 1].stored)
        last++;
      s = writer.copy(file_of(c), c.where, &c, chunks_.data() + last);
      i = last;
    }
  }
  if (s) s = writer.finish();
  out.size = out.file->end;
  if (s) return out;
  if (in_place) {
    out.file->end = end;
    scratch_ = std::move(out.file);
  }
  return s.error();
}

void Image::reject(Stored stored) {
  bool refers = std::any_of(chunks_.begin(), chunks_.end(), [](auto& c) { return c.in == In::scratch; });
  if (!refers || scratch_) return;
  // It was the scratch file: the table goes, the frames that wait stay.
  uint64_t end = 0;
  for (auto& c : chunks_)
    if (c.in == In::scratch) end = std::max(end, c.where + c.stored);
  stored.file->end = end;
  scratch_ = std::move(stored.file);
}

void Image::adopt(std::shared_ptr<OpenBelow> file, const std::vector<Frame>& frames) {
  for (auto& c : chunks_) drop_data(c);
  chunks_.clear();
  uint64_t at = 0;
  for (auto& f : frames) {
    if (f.plain == 0) continue;
    chunks_.push_back({at, f.plain, f.at, f.stored, nullptr, 0, In::base});
    at += f.plain;
  }
  base_ = std::move(file);
  scratch_.reset();
  bigs_.clear();
  changed_ = false;
  replaces_content_ = size_ > 0;
}

}  // namespace isthmus::fs::compress
