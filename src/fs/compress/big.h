#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "fs/compress/codec.h"
#include "fs/compress/frame_cache.h"

namespace isthmus::fs::compress {

/// A frame too large to be decoded as a whole, such as the only one of most files that zstd(1) makes. It is decoded
/// front to back, and what has been decoded is kept on disk, as far as that is allowed, so that going back is cheap.
/// Without that, going back begins anew. Any thread; one at a time decodes.
class BigFrame {
 public:
  static constexpr uint64_t kPiece = uint64_t{256} << 10;

  /// [at, end) of `from`, `plain` bytes when decoded. directory: for the spool file, -1: none; most: its bytes.
  BigFrame(Source& from, uint64_t at, uint64_t end, uint64_t plain, int directory, uint64_t most);

  /// kPiece bytes, or what there is at the end. EIO: damaged, or of another size than was said.
  Result<PlainRef> piece(uint64_t number);

 private:
  enum class Kept : uint8_t { no, zeros, spooled };
  size_t size_of(uint64_t number) const;
  Result<PlainRef> decode_next();
  Result<PlainRef> from_spool(uint64_t number) const;
  void keep(uint64_t number, const Plain& plain);

  Source& from_;
  const uint64_t at_, end_, plain_, most_;
  std::mutex m_;  // held while decoding
  std::unique_ptr<Stream> stream_;
  uint64_t next_ = 0;  // the piece that stream_ comes to
  Fd spool_;
  uint64_t spooled_ = 0;
  std::vector<Kept> kept_;
};

}  // namespace isthmus::fs::compress
