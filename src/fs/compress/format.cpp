#include "fs/compress/format.h"

#include <algorithm>
#include <cstring>

#include "base/endian.h"

namespace isthmus::fs::compress {

std::optional<FrameHeader> parse_frame_header(Bytes bytes) {
  if (load_le<uint32_t>(bytes, 0) != kFrameMagic) return {};
  auto descriptor = load_le<uint8_t>(bytes, 4);
  if (!descriptor || (*descriptor & 0x08)) return {};
  const bool single_segment = *descriptor & 0x20;
  constexpr size_t kDictionary[] = {0, 1, 2, 4};
  constexpr size_t kContent[] = {0, 2, 4, 8};
  size_t at = 5 + (single_segment ? 0 : 1) + kDictionary[*descriptor & 3];
  const unsigned kind = *descriptor >> 6;
  FrameHeader h;
  h.checksum = *descriptor & 0x04;
  if (kind == 0 && single_segment) {
    auto n = load_le<uint8_t>(bytes, at);
    if (!n) return {};
    h.plain = *n;
    at += 1;
  } else if (kind != 0) {
    if (kind == 1) {
      if (auto n = load_le<uint16_t>(bytes, at)) h.plain = uint64_t{*n} + 256;
    } else if (kind == 2) {
      if (auto n = load_le<uint32_t>(bytes, at)) h.plain = *n;
    } else {
      h.plain = load_le<uint64_t>(bytes, at);
    }
    if (!h.plain) return {};
    at += kContent[kind];
  }
  if (at > bytes.size()) return {};
  h.size = at;
  return h;
}

std::optional<BlockHeader> parse_block_header(Bytes bytes) {
  auto low = load_le<uint16_t>(bytes, 0);
  auto high = load_le<uint8_t>(bytes, 2);
  if (!low || !high) return {};
  const uint32_t word = *low | uint32_t{*high} << 16, size = word >> 3;
  enum Type : uint32_t { kRaw, kRle, kCompressed };
  const uint32_t type = word >> 1 & 3;
  if (type > kCompressed || size > kBlockMost) return {};
  BlockHeader b;
  b.last = word & 1;
  b.stored = type == kRle ? 1 : size;
  b.plain_most = type == kCompressed ? static_cast<uint32_t>(kBlockMost) : size;
  return b;
}

std::optional<TableFooter> parse_table_footer(Bytes last, bool& bad) {
  bad = false;
  if (last.size() < kTableFooter) return {};
  last = last.last(kTableFooter);
  if (load_le<uint32_t>(last, 5) != kFooterMagic) return {};
  TableFooter f;
  f.frames = *load_le<uint32_t>(last, 0);
  const auto descriptor = *load_le<uint8_t>(last, 4);
  f.entry = descriptor & 0x80 ? 12 : 8;
  f.stored = kSkippableHeader + uint64_t{f.frames} * f.entry + kTableFooter;
  // Bits 2 to 6 are reserved: what a later version means by them is not known.
  bad = (descriptor & 0x7c) || f.frames > kMostFrames;
  return f;
}

std::string make_seek_table(const std::vector<Frame>& entries) {
  std::string t;
  t.reserve(kSkippableHeader + entries.size() * 8 + kTableFooter);
  append_le<uint32_t>(t, kTableMagic);
  append_le<uint32_t>(t, static_cast<uint32_t>(entries.size() * 8 + kTableFooter));
  for (auto& e : entries) {
    append_le<uint32_t>(t, static_cast<uint32_t>(e.stored));
    append_le<uint32_t>(t, static_cast<uint32_t>(e.plain));
  }
  append_le<uint32_t>(t, static_cast<uint32_t>(entries.size()));
  append_le<uint8_t>(t, 0);
  append_le<uint32_t>(t, kFooterMagic);
  return t;
}

std::string make_empty_frame() {
  std::string f;
  append_le<uint32_t>(f, kFrameMagic);
  append_le<uint8_t>(f, 0x20);  // one segment, its size in a byte
  append_le<uint8_t>(f, 0);
  f.append("\x01\0\0", 3);  // the last block, raw and empty
  return f;
}

std::string make_zero_frame(uint64_t plain) {
  std::string f;
  f.reserve(zero_frame_size(plain));
  append_le<uint32_t>(f, kFrameMagic);
  append_le<uint8_t>(f, 0x80);  // the size in four bytes
  append_le<uint8_t>(f, 0x38);  // a window of 128 KiB
  append_le<uint32_t>(f, static_cast<uint32_t>(plain));
  for (uint64_t left = plain; left > 0;) {
    const uint64_t block = std::min<uint64_t>(left, kBlockMost);
    left -= block;
    const uint32_t word = static_cast<uint32_t>(block << 3 | 1u << 1 | (left == 0 ? 1u : 0u));
    for (int shift : {0, 8, 16}) f += static_cast<char>(word >> shift & 0xff);
    f += '\0';
  }
  return f;
}

bool all_zero(Bytes bytes) {
  if (bytes.empty()) return true;
  return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace isthmus::fs::compress
