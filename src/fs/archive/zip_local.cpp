#include "fs/archive/zip_local.h"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace isthmus::fs::archive {
namespace {

constexpr size_t kHeader = 30, kMost = 8192;

uint32_t little(const unsigned char* p, unsigned bytes) {
  uint32_t v = 0;
  for (unsigned i = bytes; i-- > 0;) v = v << 8 | p[i];
  return v;
}

}  // namespace

std::optional<ZipLocal> find_zip_local(const ArchiveFile& file, uint64_t data) {
  std::array<unsigned char, kMost> bytes;
  // Most headers are short: a second, longer look is rare.
  for (size_t want : {size_t{256}, kMost}) {
    size_t n = static_cast<size_t>(std::min<uint64_t>(want, data));
    if (n < kHeader) return {};
    if (::pread(file.fd.get(), bytes.data(), n, static_cast<off_t>(data - n)) != static_cast<ssize_t>(n)) return {};
    for (size_t at = n - kHeader + 1; at-- > 0;) {
      const unsigned char* p = bytes.data() + at;
      if (little(p, 4) != 0x04034b50 || kHeader + little(p + 26, 2) + little(p + 28, 2) != n - at) continue;
      uint32_t size = little(p + 22, 4);
      ZipLocal l;
      l.at = data - n + at;
      l.flags = static_cast<uint16_t>(little(p + 6, 2));
      l.method = static_cast<uint16_t>(little(p + 8, 2));
      l.size = (l.flags & 8) || size == UINT32_MAX ? UINT64_MAX : size;
      return l;
    }
    if (n < want) return {};
  }
  return {};
}

}  // namespace isthmus::fs::archive
