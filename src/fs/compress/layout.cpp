#include "fs/compress/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/endian.h"
#include "fs/compress/codec.h"

namespace isthmus::fs::compress {
namespace {

/// A block of 128 KiB can be stored in four bytes, and in no less.
constexpr bool possible(uint64_t stored, uint64_t plain) { return plain / kBlockMost <= stored / 4; }

class Reader {
 public:
  Reader(Source& from, uint64_t size, bool with_frames, std::string& why, const std::function<bool()>& cancelled)
      : from_(from), size_(size), with_frames_(with_frames), why_(why), cancelled_(cancelled) {}

  Result<Layout> read() {
    if (size_ == 0) return Layout{};
    auto tail = last(kTail);
    if (!tail) return tail.error();
    bool bad = false;
    auto footer = parse_table_footer(*tail, bad);
    Status s = footer ? table(*footer, bad, *tail) : walk();
    if (!s) return s.error();
    return std::move(layout_);
  }

 private:
  // The tables of most files are shorter: one read for all there is to know.
  static constexpr size_t kTail = 8192, kPiece = size_t{64} << 10;

  template <class... A>
  Errno wrong(fmt::format_string<A...> text, A&&... args) {
    why_ = fmt::format(text, std::forward<A>(args)...);
    return err(EIO);
  }
  Errno too_large() {
    why_ = "it is larger than this file system can handle";
    return err(EFBIG);
  }
  Result<Bytes> last(size_t most) {
    buffer_.resize(static_cast<size_t>(std::min<uint64_t>(size_, most)));
    return exactly(size_ - buffer_.size());
  }
  Result<Bytes> exactly(uint64_t at) {
    auto n = from_.read_at(at, buffer_);
    if (!n) return n.error();
    if (*n != buffer_.size()) return wrong("it became shorter while it was read");
    return Bytes(buffer_);
  }

  Status add(uint64_t at, uint64_t stored, uint64_t plain) {
    if (plain == 0) return Unit{};
    if (plain > kMostPlain || layout_.plain > kMostPlain - plain || ++frames_ > kMostFrames) return too_large();
    layout_.plain += plain;
    if (with_frames_) layout_.frames.push_back({at, stored, plain});
    return Unit{};
  }

  Status table(const TableFooter& f, bool bad, Bytes tail) {
    if (bad) return wrong("its seek table has a form that is not known ({} frames)", f.frames);
    if (f.stored > size_) return wrong("its seek table of {} frames is longer than the file", f.frames);
    const uint64_t begin = size_ - f.stored, tail_at = size_ - tail.size();
    std::array<std::byte, kSkippableHeader> head{};
    if (begin >= tail_at) {
      std::copy_n(tail.begin() + static_cast<ptrdiff_t>(begin - tail_at), head.size(), head.begin());
    } else {
      auto n = from_.read_at(begin, head);
      if (!n) return n.error();
      if (*n != head.size()) return wrong("it became shorter while it was read");
    }
    if (load_le<uint32_t>(head, 0) != kTableMagic || load_le<uint32_t>(head, 4) != f.stored - kSkippableHeader)
      return wrong("its seek table does not begin where its end says");
    if (with_frames_) layout_.frames.reserve(f.frames);

    uint64_t at = 0;
    const uint64_t entries = begin + kSkippableHeader, end = size_ - kTableFooter;
    for (uint64_t next = entries; next < end;) {
      Bytes part;
      if (next >= tail_at) {
        part = tail.subspan(static_cast<size_t>(next - tail_at), static_cast<size_t>(end - next));
      } else {
        piece_.resize(static_cast<size_t>(std::min<uint64_t>(kPiece / f.entry * f.entry, end - next)));
        auto n = from_.read_at(next, piece_);
        if (!n) return n.error();
        if (*n != piece_.size()) return wrong("it became shorter while it was read");
        part = piece_;
      }
      next += part.size();
      for (; !part.empty(); part = part.subspan(f.entry)) {
        const uint64_t stored = *load_le<uint32_t>(part, 0), plain = *load_le<uint32_t>(part, 4);
        if (stored > begin - at) return wrong("its seek table lists more bytes than there are");
        if (!possible(stored, plain)) return wrong("its seek table lists a frame of {} bytes for {}", stored, plain);
        if (auto s = add(at, stored, plain); !s) return s;
        at += stored;
      }
    }
    if (at != begin) return wrong("its seek table lists {} bytes of frames, there are {}", at, begin);
    return Unit{};
  }

  Status walk() {
    uint64_t headers = 0;
    for (uint64_t at = 0; at < size_;) {
      if (cancelled_ && cancelled_()) return err(EINTR);
      if (++headers > kMostFrames) return too_large();
      buffer_.resize(static_cast<size_t>(std::min<uint64_t>(kFrameHeaderMost, size_ - at)));
      auto head = exactly(at);
      if (!head) return head.error();
      if (auto magic = load_le<uint32_t>(*head, 0); magic && (*magic & ~15u) == kSkippableMagic) {
        auto length = load_le<uint32_t>(*head, 4);
        if (!length || size_ - at - kSkippableHeader < *length)
          return wrong("it ends in the middle of a frame, at byte {}", size_);
        at += kSkippableHeader + *length;
        continue;
      }
      auto h = parse_frame_header(*head);
      if (!h) return wrong("byte {} begins no frame of zstd", at);
      uint64_t blocks_most = 0;
      auto end = blocks(at + h->size, blocks_most);
      if (!end) return end.error();
      const uint64_t behind = *end + (h->checksum ? 4 : 0);
      if (behind > size_) return wrong("it ends in the middle of a frame, at byte {}", size_);
      if (h->plain && *h->plain > blocks_most)
        return wrong("the frame at byte {} says {} bytes and holds {} at most", at, *h->plain, blocks_most);
      auto plain = h->plain ? Result<uint64_t>(*h->plain) : count(at, behind);
      if (!plain) return plain.error();
      if (auto s = add(at, behind - at, *plain); !s) return s;
      at = behind;
    }
    return Unit{};
  }

  /// The end of a frame's blocks, and how much they can decode to.
  Result<uint64_t> blocks(uint64_t at, uint64_t& most) {
    for (;;) {
      if (++blocks_ > kMostBlocks) return too_large();
      if (blocks_ % 1024 == 0 && cancelled_ && cancelled_()) return err(EINTR);
      if (size_ - std::min(at, size_) < kBlockHeader)
        return wrong("it ends in the middle of a frame, at byte {}", size_);
      auto bytes = block_header(at);
      if (!bytes) return bytes.error();
      auto b = parse_block_header(*bytes);
      if (!b) return wrong("byte {} begins no block of zstd", at);
      at += kBlockHeader + b->stored;
      most += b->plain_most;
      if (at > size_) return wrong("it ends in the middle of a frame, at byte {}", size_);
      if (b->last) return at;
    }
  }
  /// Short blocks lie close together: one read serves several.
  Result<Bytes> block_header(uint64_t at) {
    if (at < near_at_ || at + kBlockHeader > near_at_ + near_.size()) {
      near_.resize(static_cast<size_t>(std::min<uint64_t>(kNear, size_ - at)));
      auto n = from_.read_at(at, near_);
      if (!n) return n.error();
      if (*n != near_.size()) return wrong("it became shorter while it was read");
      near_at_ = at;
    }
    return Bytes(near_).subspan(static_cast<size_t>(at - near_at_), kBlockHeader);
  }

  Result<uint64_t> count(uint64_t at, uint64_t end) {
    Stream stream(from_, at, end);
    piece_.resize(size_t{1} << 20);
    for (uint64_t total = 0;;) {
      if (cancelled_ && cancelled_()) return err(EINTR);
      auto n = stream.read(piece_);
      if (!n && n.error() == err(EIO)) return wrong("the frame at byte {} is damaged", at);
      if (!n) return n.error();
      total += *n;
      if (*n < piece_.size()) return total;
      if (total > kMostPlain) return total;  // add() says what that means
    }
  }

  static constexpr size_t kNear = 512;
  static constexpr uint64_t kMostBlocks = uint64_t{1} << 26;
  Source& from_;
  const uint64_t size_;
  const bool with_frames_;
  std::string& why_;
  const std::function<bool()>& cancelled_;
  Layout layout_;
  uint64_t frames_ = 0, blocks_ = 0;
  std::vector<std::byte> buffer_, piece_, near_;
  uint64_t near_at_ = 0;
};

}  // namespace

Result<Layout> read_layout(Source& from, uint64_t size, bool with_frames, std::string& why,
                           const std::function<bool()>& cancelled) {
  return Reader(from, size, with_frames, why, cancelled).read();
}

}  // namespace isthmus::fs::compress
