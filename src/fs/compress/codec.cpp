#include "fs/compress/codec.h"

#include <zstd.h>

#include <algorithm>

namespace isthmus::fs::compress {
namespace {

/// Contexts are dear to make; those that nobody uses wait here, a few of them.
template <class T, T* (*Make)(), size_t (*Free)(T*)>
class Contexts {
 public:
  struct Back {
    Contexts* owner;
    void operator()(T* c) const { owner->give(c); }
  };
  using Borrowed = std::unique_ptr<T, Back>;

  ~Contexts() {
    for (T* c : idle_) Free(c);
  }
  Borrowed take() {
    {
      std::lock_guard lock(m_);
      if (!idle_.empty()) {
        T* c = idle_.back();
        idle_.pop_back();
        return Borrowed(c, Back{this});
      }
    }
    return Borrowed(Make(), Back{this});
  }

 private:
  static constexpr size_t kMostIdle = 4;
  void give(T* c) {
    {
      std::lock_guard lock(m_);
      if (idle_.size() < kMostIdle) {
        idle_.push_back(c);
        return;
      }
    }
    Free(c);
  }
  std::mutex m_;  // a leaf
  std::vector<T*> idle_;
};

Contexts<ZSTD_CCtx, ZSTD_createCCtx, ZSTD_freeCCtx>& compressors() {
  static Contexts<ZSTD_CCtx, ZSTD_createCCtx, ZSTD_freeCCtx> all;
  return all;
}
Contexts<ZSTD_DCtx, ZSTD_createDCtx, ZSTD_freeDCtx>& decompressors() {
  static Contexts<ZSTD_DCtx, ZSTD_createDCtx, ZSTD_freeDCtx> all;
  return all;
}

}  // namespace

Result<std::string> compress_frame(Bytes plain, int level) {
  auto c = compressors().take();
  if (!c) return err(ENOMEM);
  ZSTD_CCtx_setParameter(c.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(c.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const size_t n = ZSTD_compress2(c.get(), out.data(), out.size(), plain.data(), plain.size());
  if (ZSTD_isError(n)) return err(ENOMEM);  // all that can go wrong with room enough
  out.resize(n);
  return out;
}

Status decompress_frame(Bytes stored, MutableBytes to) {
  auto d = decompressors().take();
  if (!d) return err(ENOMEM);
  const size_t n = ZSTD_decompressDCtx(d.get(), to.data(), to.size(), stored.data(), stored.size());
  return !ZSTD_isError(n) && n == to.size() ? Status(Unit{}) : Status(err(EIO));
}

struct Stream::Context {
  ZSTD_DStream* stream = ZSTD_createDStream();
  ~Context() { ZSTD_freeDStream(stream); }
};

Stream::Stream(Source& from, uint64_t at, uint64_t end)
    : from_(from), at_(at), end_(end), zstd_(std::make_unique<Context>()), in_(ZSTD_DStreamInSize()) {}
Stream::~Stream() = default;

Result<size_t> Stream::read(MutableBytes to) {
  if (!zstd_->stream) return err(ENOMEM);
  ZSTD_outBuffer out{to.data(), to.size(), 0};
  while (out.pos < out.size) {
    if (in_at_ == in_size_ && at_ < end_) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(in_.size(), end_ - at_));
      auto n = from_.read_at(at_, MutableBytes(in_).first(want));
      if (!n) return n.error();
      if (*n == 0) return err(EIO);  // shorter than it was
      at_ += *n;
      in_at_ = 0;
      in_size_ = *n;
    }
    const bool no_more = in_at_ == in_size_;
    if (no_more && !frame_open_) break;
    ZSTD_inBuffer in{in_.data(), in_size_, in_at_};
    const size_t before = out.pos;
    const size_t left = ZSTD_decompressStream(zstd_->stream, &out, &in);
    if (ZSTD_isError(left)) return err(EIO);
    in_at_ = in.pos;
    frame_open_ = left != 0;
    if (no_more && frame_open_ && out.pos == before) return err(EIO);  // ends in the middle
  }
  return out.pos;
}

}  // namespace isthmus::fs::compress
