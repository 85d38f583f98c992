#pragma once
#include <mutex>

#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

/// A directory being read. Entries that the kernel gave but no sink has taken yet wait in `block`.
struct PassFs::OpenDirectory {
  static constexpr size_t kBlock = size_t{32} << 10;

  OpenDirectory(Node* n, SharedFd f) : node(n), fd(std::move(f)) {}

  Node* const node;
  const SharedFd fd;
  std::mutex m;  // guards the rest; readers of one handle take turns
  std::unique_ptr<std::byte[]> block;
  size_t used = 0, next = 0;
  uint64_t cookie = 0;  ///< of the entry before block[next]
};

}  // namespace isthmus::fs::pass
