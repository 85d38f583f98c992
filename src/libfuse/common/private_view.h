#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

namespace isthmus::libfuse {

/// What a program that was compiled with libfuse's private header fuse_i.h finds in a session, as libfuse's own tests
/// are: memory that it may write to (fuse_session::conn is at 432 in 3.17, 440 in 3.18 and 448 in 3.19), and
/// fuse_session::error, which is at 920 in 3.17, 928 in 3.18 and behind that in 3.19. Nothing of it is read.
class PrivateView {
 public:
  void set_error(int error) { std::fill(words_.begin() + kErrorFrom, words_.begin() + kErrorTo, error); }

 private:
  static constexpr size_t kErrorFrom = 920 / sizeof(int), kErrorTo = 1024 / sizeof(int);
  alignas(std::max_align_t) std::array<int, 512> words_{};
};

}  // namespace isthmus::libfuse
