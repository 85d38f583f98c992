#include "base/utf16.h"

#include <algorithm>

#include "base/endian.h"
#include "base/utf8.h"

namespace isthmus {
namespace {

constexpr uint32_t kHigh = 0xd800, kLow = 0xdc00, kEnd = 0xe000, kSupplementary = 0x10000;

void append_utf8(std::string& to, uint32_t c) {
  auto tail = [&to, c](int shift) { to += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    to += static_cast<char>(c);
  } else if (c < 0x800) {
    to += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < kSupplementary) {
    to += static_cast<char>(0xe0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    to += static_cast<char>(0xf0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::optional<std::string> utf16_of(std::string_view utf8) {
  std::string out;
  if (std::all_of(utf8.begin(), utf8.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    out.resize(utf8.size() * 2);  // most names
    for (size_t i = 0; i < utf8.size(); i++) out[2 * i] = utf8[i];
    return out;
  }
  out.reserve(utf8.size() * 2);
  while (!utf8.empty()) {
    const size_t n = utf8_sequence(utf8);
    if (n == 0) return std::nullopt;
    // The first byte of n > 1 has n set bits and a clear one in front of its own.
    uint32_t c = static_cast<unsigned char>(utf8[0]) & (n == 1 ? 0x7fu : 0x7fu >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | (static_cast<unsigned char>(utf8[i]) & 0x3f);
    utf8.remove_prefix(n);
    if (c >= kSupplementary) {
      c -= kSupplementary;
      append_le<uint16_t>(out, static_cast<uint16_t>(kHigh | c >> 10));
      append_le<uint16_t>(out, static_cast<uint16_t>(kLow | (c & 0x3ff)));
    } else {
      append_le<uint16_t>(out, static_cast<uint16_t>(c));
    }
  }
  return out;
}

std::optional<std::string> utf8_of(Bytes utf16) {
  if (utf16.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(utf16.size());
  for (size_t i = 0; i < utf16.size(); i += 2) {
    uint32_t c = *load_le<uint16_t>(utf16, i);
    if (c >= kHigh && c < kEnd) {
      auto low = load_le<uint16_t>(utf16, i + 2);
      if (c >= kLow || !low || *low < kLow || *low >= kEnd) return std::nullopt;
      c = kSupplementary + ((c - kHigh) << 10 | (*low - kLow));
      i += 2;
    }
    append_utf8(out, c);
  }
  return out;
}

}  // namespace isthmus
