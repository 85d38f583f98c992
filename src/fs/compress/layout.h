#pragma once
#include <functional>
#include <string>
#include <vector>

#include "fs/compress/format.h"
#include "fs/compress/source.h"

namespace isthmus::fs::compress {

/// Frames of at most this many plain bytes are decoded as a whole; larger ones front to back (big.h).
constexpr uint64_t kWholeFrame = uint64_t{16} << 20;

/// What a stored file holds.
struct Layout {
  uint64_t plain = 0;         ///< bytes in all
  std::vector<Frame> frames;  ///< those that decode to something, in order; left empty where not asked for
};

/// Reads the seek table of a file of `size` bytes or, where there is none, walks from block to block; a frame that does
/// not say its size is decoded to know it. with_frames: Layout::frames is wanted. cancelled: asked now and then, EINTR.
/// EIO: it is not what zstd(1) writes, or its table lies; EFBIG: beyond what this can handle (format.h); else the error
/// of reading. `why` says more about the first two.
Result<Layout> read_layout(Source& from, uint64_t size, bool with_frames, std::string& why,
                           const std::function<bool()>& cancelled = {});

}  // namespace isthmus::fs::compress
