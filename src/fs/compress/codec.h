#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fs/compress/source.h"

namespace isthmus::fs::compress {

/// One frame of `plain` bytes, with a checksum. ENOMEM.
Result<std::string> compress_frame(Bytes plain, int level);

/// Decodes `stored` into exactly `to`. EIO: it is no frame, or decodes to fewer or more bytes; never writes more.
Status decompress_frame(Bytes stored, MutableBytes to);

/// Decodes a part of a file front to back, with bounded memory (windows of at most 128 MiB, zstd(1)'s own limit). One
/// thread at a time.
class Stream {
 public:
  /// [at, end) of `from`, which must live as long.
  Stream(Source& from, uint64_t at, uint64_t end);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Fewer bytes than `to` holds: the end. EIO: it is damaged, or ends early; or the error of reading.
  Result<size_t> read(MutableBytes to);

 private:
  Source& from_;
  uint64_t at_, end_;
  struct Context;
  std::unique_ptr<Context> zstd_;
  std::vector<std::byte> in_;
  size_t in_at_ = 0, in_size_ = 0;
  bool frame_open_ = false;
};

}  // namespace isthmus::fs::compress
