#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace isthmus::webdav {

/// Bytes that a peer has sent and nobody has used yet, in one piece. Memory is not cleared before it is received into.
class InputBuffer {
 public:
  std::string_view text() const { return {memory_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void consume(size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Room for `n` more bytes behind those that are there; added() says how many came.
  char* room(size_t n) {
    if (capacity_ - end_ < n) {
      const size_t have = end_ - begin_;
      if (have + n > capacity_) {
        capacity_ = have + n;
        std::unique_ptr<char[]> larger(new char[capacity_]);
        if (have) std::memcpy(larger.get(), memory_.get() + begin_, have);
        memory_ = std::move(larger);
      } else if (have) {
        std::memmove(memory_.get(), memory_.get() + begin_, have);
      }
      begin_ = 0;
      end_ = have;
    }
    return memory_.get() + end_;
  }
  void added(size_t n) { end_ += n; }
  /// Gives memory back, if more than `most` is held and no byte is in it.
  void trim(size_t most) {
    if (!empty() || capacity_ <= most) return;
    memory_.reset();
    begin_ = end_ = capacity_ = 0;
  }

 private:
  std::unique_ptr<char[]> memory_;
  size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace isthmus::webdav
