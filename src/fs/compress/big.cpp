#include "fs/compress/big.h"

#include <algorithm>

#include "base/log.h"
#include "base/pread_all.h"
#include "base/unlinked_file.h"
#include "fs/compress/format.h"

namespace isthmus::fs::compress {

BigFrame::BigFrame(Source& from, uint64_t at, uint64_t end, uint64_t plain, int directory, uint64_t most)
    : from_(from), at_(at), end_(end), plain_(plain), most_(most) {
  if (directory >= 0 && most >= kPiece) spool_ = unlinked_file(directory);
}

size_t BigFrame::size_of(uint64_t number) const {
  return static_cast<size_t>(std::min(kPiece, plain_ - number * kPiece));
}

Result<PlainRef> BigFrame::piece(uint64_t number) {
  std::lock_guard lock(m_);
  if (number < kept_.size() && kept_[number] == Kept::zeros)
    return std::make_shared<const Plain>(Plain{nullptr, size_of(number)});
  if (number < kept_.size() && kept_[number] == Kept::spooled) return from_spool(number);
  if (!stream_ || next_ > number) {
    stream_ = std::make_unique<Stream>(from_, at_, end_);
    next_ = 0;
  }
  for (;;) {
    auto p = decode_next();
    if (!p) stream_.reset();
    if (!p || next_ > number) return p;
  }
}

Result<PlainRef> BigFrame::decode_next() {
  Plain p{std::make_unique_for_overwrite<std::byte[]>(kPiece), size_of(next_)};
  auto n = stream_->read({p.bytes.get(), p.size});
  if (!n) return n.error();
  if (*n != p.size) return err(EIO);
  keep(next_, p);
  next_++;
  return std::make_shared<const Plain>(std::move(p));
}

void BigFrame::keep(uint64_t number, const Plain& p) {
  if (!spool_ || number < kept_.size()) return;  // kept_ grows piece by piece
  const Bytes bytes(p.bytes.get(), p.size);
  if (all_zero(bytes)) {
    kept_.push_back(Kept::zeros);
    return;
  }
  if (spooled_ + p.size > most_) {
    kept_.push_back(Kept::no);
    return;
  }
  if (Status written = pwrite_all(spool_.get(), bytes, number * kPiece); !written) {
    // What is there already still serves.
    log(LogLevel::warning, "compress: decoded data cannot be kept ({}): reading backwards will be slow",
        text_of(written.error()));
    spooled_ = most_;
    kept_.push_back(Kept::no);
    return;
  }
  spooled_ += p.size;
  kept_.push_back(Kept::spooled);
}

Result<PlainRef> BigFrame::from_spool(uint64_t number) const {
  Plain p{std::make_unique_for_overwrite<std::byte[]>(kPiece), size_of(number)};
  const auto n = pread_all(spool_.get(), {p.bytes.get(), p.size}, number * kPiece);
  if (!n) return n.error();
  if (*n < p.size) return err(EIO);
  return std::make_shared<const Plain>(std::move(p));
}

}  // namespace isthmus::fs::compress
