#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "vfs/buffer.h"

namespace isthmus::fs::mail {

/// Bytes that do not change: in memory, or a range of a file that nobody else writes to. Any thread.
class Blob : public std::enable_shared_from_this<Blob> {
 public:
  static std::shared_ptr<const Blob> of(std::string text);
  /// `offset` and `size` in bytes; the file may be shorter by the time it is read, which ends what is read.
  static std::shared_ptr<const Blob> of(Fd fd, uint64_t offset, uint64_t size);

  uint64_t size() const { return size_; }
  /// In memory: what it takes of that.
  size_t weight() const { return fd_ ? 0 : text_.capacity(); }
  Buffer read(uint64_t offset, size_t size) const;
  /// Copies up to `to.size()` bytes; fewer at the end.
  Result<size_t> copy(uint64_t offset, MutableBytes to) const;
  /// All of it; for those known to be small.
  Result<std::string> text() const;
  /// The file, if it is one; -1. For opening it once more by /proc/self/fd.
  int fd() const { return fd_ ? fd_->get() : -1; }
  uint64_t offset() const { return offset_; }

 private:
  friend class BlobWriter;
  std::string text_;
  std::shared_ptr<const Fd> fd_;  // null: text_ has it
  uint64_t offset_ = 0, size_ = 0;
};

/// A file without a name, made when it is needed, in which several blobs lie one behind the other.
struct Spool {
  Fd fd;
  uint64_t end = 0;  ///< bytes
};

/// Makes a Blob piece by piece: in memory up to `in_memory` bytes, then in `spool`, of which one writer at a time makes
/// use; without one in a file of its own. Files lie below $TMPDIR or in /var/tmp.
class BlobWriter {
 public:
  static constexpr size_t kInMemory = size_t{256} << 10;
  explicit BlobWriter(std::shared_ptr<Spool> spool = nullptr, size_t in_memory = kInMemory)
      : spool_(std::move(spool)), in_memory_(in_memory) {}

  Status append(std::string_view bytes);
  uint64_t size() const { return size_; }
  /// The writer is empty afterwards.
  Result<std::shared_ptr<const Blob>> finish();

 private:
  Status spill();

  std::shared_ptr<Spool> spool_;
  size_t in_memory_;
  std::string text_;
  uint64_t begin_ = 0, size_ = 0;  // in the spool; bytes
  bool spilled_ = false;
};

}  // namespace isthmus::fs::mail
