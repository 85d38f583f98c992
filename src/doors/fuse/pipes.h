#pragma once
#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "vfs/buffer.h"

namespace isthmus::fuse {

/// Pipes for splice(2), used again. Any thread. A pipe that may not be empty is closed instead of being given back.
class Pipes {
 public:
  struct Pipe {
    Fd in, out;  ///< written to, read from
    size_t room = 0;
  };
  /// Null: there can be none, or none that holds `bytes` and a header.
  std::unique_ptr<Pipe> take(size_t bytes);
  void give(std::unique_ptr<Pipe> pipe);

 private:
  std::atomic<size_t> too_big_{SIZE_MAX};  // bytes that the kernel gave no pipe for
  std::mutex m_;                           // leaf
  std::vector<std::unique_ptr<Pipe>> free_;
};

/// Fills `pipe` with `header` and exactly the range. False: the range is shorter, or cannot be spliced; the pipe must
/// not be used again.
bool fill_pipe(Pipes::Pipe& pipe, Bytes header, const Buffer::FileRange& range);

}  // namespace isthmus::fuse
