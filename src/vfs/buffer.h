#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus {

/// Bytes on their way through the waist: copied at most once, by the door, and not at all when it can splice.
/// One segment is held in place; only lists of several allocate. Not thread-safe; move it with the answer.
class Buffer {
 public:
  /// Memory, kept alive by `keep` (null: by the operation's argument, until the call is answered).
  struct Owned {
    std::shared_ptr<const void> keep;
    Bytes bytes;
  };
  /// `length` bytes of an open file; a shorter file ends the data. The descriptor is borrowed unless `keep` owns it.
  struct FileRange {
    int fd = -1;
    uint64_t offset = 0;
    size_t length = 0;
    std::shared_ptr<const void> keep;
  };
  /// The provider wrote the first `length` bytes of op::Read::into.
  struct Filled {
    size_t length = 0;
  };
  using Segment = std::variant<Owned, FileRange, Filled>;

  Buffer() = default;
  static Buffer filled(size_t n) { return Buffer(Filled{n}); }
  static Buffer file(int fd, uint64_t offset, size_t n, std::shared_ptr<const void> keep = nullptr) {
    return Buffer(FileRange{fd, offset, n, std::move(keep)});
  }
  static Buffer own(std::string s) {
    auto p = std::make_shared<const std::string>(std::move(s));
    return Buffer(Owned{p, as_bytes(*p)});
  }
  /// Borrows: the bytes must outlive the buffer.
  static Buffer view(Bytes b) { return Buffer(Owned{nullptr, b}); }
  static Buffer keep(std::shared_ptr<const void> owner, Bytes b) { return Buffer(Owned{std::move(owner), b}); }

  void append(Segment s);
  std::span<const Segment> segments() const {
    return list_.empty() ? std::span<const Segment>(&one_, has_one_ ? 1u : 0u) : std::span<const Segment>(list_);
  }
  /// Sum of the segments. File ranges count their full length.
  size_t size() const;
  /// Copies to `to` (Filled segments mean bytes of `into`, which may be `to` itself). Returns the bytes copied: less
  /// than size() when `to` is shorter or a file ends early. Reads files: may block.
  Result<size_t> copy_to(MutableBytes to, Bytes into = {}) const;
  /// The bytes when they lie in one piece of memory, else an empty span with `contiguous` false.
  Bytes contiguous_bytes(bool& contiguous, Bytes into = {}) const;
  /// All bytes in one piece: where they are if they lie so, else copied to `room`, which must outlive the answer. Fewer
  /// than size() when a file ends early. Reads files: may block.
  Result<Bytes> in_one_piece(std::string& room) const;

 private:
  explicit Buffer(Segment s) : one_(std::move(s)), has_one_(true) {}
  Segment one_ = Filled{};
  bool has_one_ = false;
  std::vector<Segment> list_;
};

}  // namespace isthmus
