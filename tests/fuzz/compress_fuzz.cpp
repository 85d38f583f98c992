#include <algorithm>
#include <cstdint>
#include <vector>

#include "fs/compress/big.h"
#include "fs/compress/codec.h"
#include "fs/compress/layout.h"
#include "tests/fuzz/check.h"

// Bytes as a stored file of compress+: what it holds is found out by its seek table or by walking through it, then its
// frames are decoded, whole or front to back.

namespace isthmus::fs::compress {
namespace {

struct Input final : Source {
  explicit Input(Bytes b) : bytes(b) {}
  Result<size_t> read_at(uint64_t offset, MutableBytes to) override {
    if (offset >= bytes.size()) return size_t{0};
    const Bytes from = bytes.subspan(static_cast<size_t>(offset));
    const size_t n = std::min(to.size(), from.size());
    std::copy_n(from.begin(), n, to.begin());
    return n;
  }
  Bytes bytes;
};

/// A few bytes can stand for terabytes: only the beginning is decoded.
constexpr uint64_t kMostWhole = 1 << 20;
constexpr uint64_t kMostPieces = 3;
constexpr int kPatience = 8;

void use(Bytes bytes) {
  Input from(bytes);
  std::string why;
  int asked = 0;
  const auto tired = [&asked] { return ++asked > kPatience; };
  auto all = read_layout(from, bytes.size(), true, why, tired);
  asked = 0;
  auto size = read_layout(from, bytes.size(), false, why, tired);
  ::check(all.ok() == size.ok());
  if (!all) return ::check(all.error() == size.error());
  ::check(all->plain == size->plain && size->frames.empty());
  uint64_t plain = 0, at = 0;
  for (auto& f : all->frames) {
    ::check(f.plain > 0 && f.at >= at && f.stored <= bytes.size() - f.at);
    at = f.at + f.stored;
    plain += f.plain;
  }
  ::check(plain == all->plain);

  int decoded = 0;
  for (auto& f : all->frames) {
    if (++decoded > 20) break;
    if (f.plain <= kMostWhole) {
      std::vector<std::byte> to(static_cast<size_t>(f.plain));
      (void)decompress_frame(bytes.subspan(static_cast<size_t>(f.at), static_cast<size_t>(f.stored)), to);
    }
    BigFrame big(from, f.at, f.at + f.stored, f.plain, -1, 0);
    const uint64_t pieces = (f.plain + BigFrame::kPiece - 1) / BigFrame::kPiece;
    for (uint64_t n = 0; n < std::min(pieces, kMostPieces); n++)
      if (auto p = big.piece(n)) ::check((*p)->size == std::min(BigFrame::kPiece, f.plain - n * BigFrame::kPiece));
  }
}

}  // namespace
}  // namespace isthmus::fs::compress

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  isthmus::fs::compress::use({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
