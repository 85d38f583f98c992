#pragma once
#include <memory>
#include <string>
#include <vector>

#include "fs/archive/reader.h"
#include "fs/archive/spool.h"

namespace isthmus::fs::archive {

/// A reader somewhere in the archive, and the piece of a file that it is putting together. One thread at a time.
class Cursor {
 public:
  enum class Step { piece, end, damaged, cut };

  /// ordinal: of the entry in front of the first header that next() will find (0: from the beginning).
  Cursor(std::unique_ptr<Reader> reader, uint32_t ordinal_before) : reader_(std::move(reader)), entry_(ordinal_before) {
    part_.reserve(Spool::kPiece);
  }

  /// Goes to the next entry. damaged: that one, the one after may be fine. cut: nothing can be read any more.
  Step next_entry();
  /// Prepares for the data of the current entry, of `size` bytes.
  void begin(uint64_t size);
  /// Decodes up to the end of the next piece: piece() and number() are it. A piece that ends the file is only given out
  /// when libarchive found nothing wrong with the whole (checksums). Pieces that are one hole are passed over.
  Step next_piece();
  /// Leaves the rest of the entry out. false: the archive ends here.
  bool skip_rest();

  uint32_t entry() const { return entry_; }
  /// Of the piece that next_piece() will put together next.
  uint64_t coming() const { return part_start_ / Spool::kPiece; }
  bool at_end() const { return done_; }
  Bytes piece() const { return Bytes(out_); }
  uint64_t number() const { return out_number_; }
  const std::string& why() const { return why_; }
  Reader& reader() { return *reader_; }
  bool usable() const { return usable_; }
  struct archive_entry* header() const {
    return header_;
  }

 private:
  Step give(uint64_t length);
  Step fault(int code);
  int fill();

  std::unique_ptr<Reader> reader_;
  struct archive_entry* header_ = nullptr;
  uint32_t entry_;
  bool usable_ = true;
  bool done_ = true;  // all pieces of the entry were given out, or it failed
  bool begun_ = false;
  bool sparse_ = false;
  bool ended_ = false;  // libarchive said that there is no more data
  uint64_t size_ = 0;
  uint64_t part_start_ = 0;      // offset of part_[0] in the file
  std::vector<std::byte> part_;  // what is decoded of the current piece
  Bytes block_;                  // what the reader gave and was not yet used; valid until it is asked again
  uint64_t block_at_ = 0;
  std::vector<std::byte> out_;
  uint64_t out_number_ = 0;
  std::string why_;
};

}  // namespace isthmus::fs::archive
