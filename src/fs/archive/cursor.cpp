#include "fs/archive/cursor.h"

#include <algorithm>
#include <cstring>

namespace isthmus::fs::archive {

constexpr int kMostEmptyBlocks = 10'000;

Cursor::Step Cursor::fault(int code) {
  done_ = true;
  why_ = reader_->reason();
  block_ = {};
  if (code == ARCHIVE_FATAL || reader_->io_failed()) usable_ = false;
  return usable_ ? Step::damaged : Step::cut;
}

Cursor::Step Cursor::next_entry() {
  block_ = {};
  begun_ = false;
  done_ = true;
  int r = ARCHIVE_RETRY;
  r = reader_->next(header_);
  entry_++;
  if (r == ARCHIVE_OK || r == ARCHIVE_WARN) return Step::piece;
  header_ = nullptr;
  if (r == ARCHIVE_EOF) {
    why_ = "the archive ended early";
    usable_ = false;
    return Step::cut;
  }
  return fault(r);
}

void Cursor::begin(uint64_t size) {
  begun_ = true;
  done_ = size == 0;
  ended_ = false;
  sparse_ = header_ && archive_entry_sparse_count(header_) > 0;
  size_ = size;
  part_start_ = 0;
  part_.clear();
  block_ = {};
}

int Cursor::fill() {
  for (int i = 0; i < kMostEmptyBlocks; i++) {
    int r = reader_->block(block_, block_at_);
    if (r == ARCHIVE_EOF) {
      ended_ = true;
      block_ = {};
      return ARCHIVE_OK;
    }
    if (r != ARCHIVE_OK) return r == ARCHIVE_RETRY ? ARCHIVE_FAILED : r;
    if (!block_.empty()) return ARCHIVE_OK;
  }
  return ARCHIVE_FAILED;
}

Cursor::Step Cursor::give(uint64_t length) {
  part_.resize(length);  // zeros, when the end of the piece is a hole
  out_.swap(part_);
  part_.clear();
  out_number_ = part_start_ / Spool::kPiece;
  part_start_ += length;
  return Step::piece;
}

Cursor::Step Cursor::next_piece() {
  if (done_) return Step::end;
  auto damaged = [&](const char* why) {
    done_ = true;
    why_ = why;
    return Step::damaged;
  };
  for (;;) {
    uint64_t length = std::min(Spool::kPiece, size_ - part_start_);
    bool last = part_start_ + length == size_;
    uint64_t at = part_start_ + part_.size();
    if (part_.size() == length && !last) return give(length);
    if (part_.size() == length) {  // the file is complete: is it also right?
      while (block_.empty() && !ended_)
        if (int r = fill(); r != ARCHIVE_OK) return fault(r);
      if (!block_.empty()) return damaged("there is more data than the header says");
      done_ = true;
      return give(length);
    }
    if (block_.empty() && !ended_) {
      if (int r = fill(); r != ARCHIVE_OK) return fault(r);
      continue;
    }
    if (ended_) {
      if (!sparse_) return damaged("the data ends early");
      block_at_ = size_;  // the rest is a hole
    }
    if (block_at_ < at) return damaged("data out of order");
    if (block_at_ > at) {
      if (!sparse_) return damaged("data is missing in the middle");
      if (uint64_t end = part_start_ + length; block_at_ >= end) {
        if (!part_.empty() || last) {
          part_.resize(length);
          continue;
        }
        // A hole over whole pieces, which are not given out; the last piece always is.
        uint64_t to = std::min(block_at_, size_ - 1);
        part_start_ = to - to % Spool::kPiece;
        continue;
      }
      part_.resize(static_cast<size_t>(block_at_ - part_start_));
      continue;
    }
    size_t n = static_cast<size_t>(std::min<uint64_t>(block_.size(), length - part_.size()));
    part_.insert(part_.end(), block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(n));
    block_ = block_.subspan(n);
    block_at_ += n;
  }
}

bool Cursor::skip_rest() {
  block_ = {};
  done_ = true;
  if (int r = reader_->skip(); r == ARCHIVE_FATAL) {
    fault(r);
    return false;
  }
  return true;
}

}  // namespace isthmus::fs::archive
