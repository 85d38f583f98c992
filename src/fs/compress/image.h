#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "fs/compress/big.h"
#include "fs/compress/frame_cache.h"
#include "fs/compress/layout.h"
#include "fs/compress/options.h"
#include "fs/compress/temporary.h"

namespace isthmus::fs::compress {

/// What the images of a mount share.
struct Shared {
  explicit Shared(Options o) : options(std::move(o)), cache(options.cache) {}
  const Options options;
  FrameCache cache;
  Fd spool_directory;              ///< none: nothing is spooled
  std::atomic<uint64_t> dirty{0};  ///< bytes of memory that wait to be stored, of all images
};

/// The plain content of one stored file while it is open: a list of chunks, each a frame of the stored file (base), a
/// frame that waits in a temporary file (scratch), zeros, or plain bytes in memory (dirty). Frames that nobody writes
/// to are never decoded to store the others again.
///
/// read() from several threads at once; all else alone. No lock of its own but for what reading shares.
class Image {
 public:
  using MakeTemporary = std::function<Result<std::unique_ptr<Temporary>>()>;
  /// label: names the file in the log. make_temporary: where frames may wait.
  Image(Shared& shared, std::shared_ptr<OpenBelow> base, Layout layout, std::function<std::string()> label,
        MakeTemporary make_temporary);
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  uint64_t size() const { return size_; }
  /// Something was changed since the image was loaded or stored.
  bool changed() const { return changed_; }
  /// What it was loaded from had content.
  bool replaces_content() const { return replaces_content_; }

  Result<size_t> read(uint64_t offset, MutableBytes to);
  /// EFBIG beyond kMostPlain; else an error of the tree below, after which the bytes before it are written.
  Status write(uint64_t offset, Bytes data);
  Status resize(uint64_t size);
  /// As resize(0), whatever was in the file, and though that may be what it was already.
  void clear();
  /// [offset, offset + length) becomes zeros; what lies beyond the end is left out.
  Status zero(uint64_t offset, uint64_t length);
  /// SEEK_DATA (data) or SEEK_HOLE from an offset below size(). size(): no hole, or no data (ENXIO to the caller).
  Result<uint64_t> seek(uint64_t offset, bool data);

  /// The whole content as a file for zstd(1), complete but for its attributes. The image is as it was, until adopt().
  struct Stored {
    std::unique_ptr<Temporary> file;
    uint64_t size = 0;
    std::vector<Frame> frames;
  };
  Result<Stored> store();
  /// What store() gave, or a copy of it, is the stored file now.
  void adopt(std::shared_ptr<OpenBelow> file, const std::vector<Frame>& frames);
  /// Gives back what store() gave: it could not be used.
  void reject(Stored stored);

 private:
  enum class In : uint8_t { base, scratch, zeros, dirty };
  struct Chunk {
    uint64_t at = 0, size = 0;       // plain
    uint64_t where = 0, stored = 0;  // base, scratch
    std::unique_ptr<std::byte[]> data;
    uint32_t room = 0;  // of data
    In in = In::zeros;
  };
  class Writer;

  static bool is_big(const Chunk& c) { return c.size > kWholeFrame || c.stored > 2 * kWholeFrame; }
  uint64_t frame() const { return shared_.options.frame; }
  size_t index(uint64_t offset) const;
  OpenBelow& file_of(const Chunk& c) const { return c.in == In::base ? *base_ : scratch_->file(); }
  Errno damaged(const Chunk& c, Errno e);

  // image_read.cpp
  Result<PlainRef> decode(const Chunk& c);
  Result<PlainRef> frame_of(const Chunk& c);
  Result<PlainRef> piece_of(const Chunk& c, uint64_t number);
  Status read_chunk(const Chunk& c, uint64_t at, MutableBytes to);
  Result<uint64_t> seek_in(const Chunk& c, uint64_t offset, bool data);

  // image_write.cpp
  Chunk new_dirty(uint64_t at, uint64_t size, uint64_t room);
  void set_data(Chunk& c, uint64_t room);
  void drop_data(Chunk& c);
  void replace(size_t i, std::vector<Chunk> by);
  Status make_dirty(size_t i, uint64_t offset, bool overwritten);
  Status split_zeros(size_t i, uint64_t offset);
  Status split_frame(size_t i);
  Status reframe(size_t i);
  Status append(Bytes& data);
  void grow(uint64_t size);
  Result<Chunk> to_scratch(uint64_t at, Bytes plain);
  Status evict(uint64_t keep);

  Shared& shared_;
  std::shared_ptr<OpenBelow> base_;
  const std::function<std::string()> label_;
  const MakeTemporary make_temporary_;
  std::unique_ptr<Temporary> scratch_;
  std::vector<Chunk> chunks_;
  std::set<uint64_t> dirty_;  // where the dirty ones begin
  uint64_t size_ = 0, dirty_bytes_ = 0;
  bool changed_ = false, replaces_content_ = false;
  std::atomic<bool> told_{false};
  std::mutex m_;                                        // guards bigs_; a leaf
  std::map<uint64_t, std::shared_ptr<BigFrame>> bigs_;  // of base, by where
};

}  // namespace isthmus::fs::compress
