#include "windows/sid.h"

#include <algorithm>
#include <charconv>

#include "base/endian.h"

namespace isthmus::windows {
namespace {

constexpr uint8_t kRevision = 1;
constexpr uint64_t kMostAuthority = (uint64_t{1} << 48) - 1;

/// The number at the beginning of `text`, which loses it: decimal, or hexadecimal where the format has that.
std::optional<uint64_t> take_number(std::string_view& text, uint64_t most, bool may_be_hex) {
  int base = 10;
  if (may_be_hex && (text.starts_with("0x") || text.starts_with("0X"))) {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || value > most) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

}  // namespace

bool Sid::is_in(const Sid& domain) const {
  return authority == domain.authority && count == domain.count + 1 &&
         std::equal(domain.below().begin(), domain.below().end(), numbers.begin());
}

std::string to_text(const Sid& sid) {
  std::string text = "S-1-";
  if (sid.authority <= UINT32_MAX) {
    text += std::to_string(sid.authority);
  } else {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += "0x";
    for (int shift = 44; shift >= 0; shift -= 4) text += kDigits[sid.authority >> shift & 0xf];
  }
  for (uint32_t n : sid.below()) text += "-" + std::to_string(n);
  return text;
}

std::optional<Sid> parse_sid(std::string_view text) {
  if (!text.starts_with("S-1-") && !text.starts_with("s-1-")) return std::nullopt;
  text.remove_prefix(4);
  auto authority = take_number(text, kMostAuthority, true);
  if (!authority) return std::nullopt;
  Sid sid(*authority, {});
  while (!text.empty()) {
    if (text.front() != '-' || sid.count == Sid::kMost) return std::nullopt;
    text.remove_prefix(1);
    auto n = take_number(text, UINT32_MAX, false);
    if (!n) return std::nullopt;
    sid.numbers[sid.count++] = static_cast<uint32_t>(*n);
  }
  return sid;
}

size_t sid_size(const Sid& sid) { return 8 + size_t{4} * sid.count; }

void append_sid(std::string& to, const Sid& sid) {
  append_le<uint8_t>(to, kRevision);
  append_le<uint8_t>(to, sid.count);
  append_be<uint16_t>(to, static_cast<uint16_t>(sid.authority >> 32));
  append_be<uint32_t>(to, static_cast<uint32_t>(sid.authority));
  for (uint32_t n : sid.below()) append_le<uint32_t>(to, n);
}

std::optional<Sid> read_sid(Bytes from) {
  auto revision = load_le<uint8_t>(from, 0);
  auto count = load_le<uint8_t>(from, 1);
  auto high = load_be<uint16_t>(from, 2);
  auto low = load_be<uint32_t>(from, 4);
  if (!low || *revision != kRevision || *count > Sid::kMost) return std::nullopt;
  Sid sid(uint64_t{*high} << 32 | *low, {});
  for (; sid.count < *count; sid.count++) {
    auto n = load_le<uint32_t>(from, 8 + size_t{4} * sid.count);
    if (!n) return std::nullopt;
    sid.numbers[sid.count] = *n;
  }
  return sid;
}

}  // namespace isthmus::windows
