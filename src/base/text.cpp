#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace isthmus {

std::optional<uint64_t> parse_number(std::string_view text, uint64_t max) {
  uint64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size() || n > max) return std::nullopt;
  return n;
}

std::optional<uint64_t> parse_bytes(std::string_view text, uint64_t max) {
  int shift = 0;
  if (!text.empty()) {
    constexpr std::string_view kSuffixes = "kmgt";
    size_t at = kSuffixes.find(static_cast<char>(text.back() | 0x20));
    if (at != std::string_view::npos) {
      shift = 10 * static_cast<int>(at + 1);
      text.remove_suffix(1);
    }
  }
  auto n = parse_number(text, max >> shift);
  if (!n) return std::nullopt;
  return *n << shift;
}

std::optional<uint32_t> parse_seconds(std::string_view text) {
  size_t dot = std::min(text.find('.'), text.size());
  constexpr uint64_t kMax = UINT32_MAX - 1;
  auto whole = parse_number(text.substr(0, dot), kMax / 1000);
  if (!whole) return std::nullopt;
  uint64_t ms = *whole * 1000;
  if (dot < text.size()) {
    std::string_view decimals = text.substr(dot + 1);
    if (decimals.empty() || decimals.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    uint64_t unit = 100;
    for (size_t i = 0; i < decimals.size() && unit > 0; i++, unit /= 10)
      ms += static_cast<uint64_t>(decimals[i] - '0') * unit;
  }
  if (ms > kMax) return std::nullopt;
  return static_cast<uint32_t>(ms);
}

namespace {

size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> names) {
  if (name.size() > 64) return {};
  std::string_view best;
  size_t fewest = std::max<size_t>(1, name.size() / 3) + 1;
  for (auto n : names)
    if (size_t d = edits(name, n); d < fewest) {
      fewest = d;
      best = n;
    }
  return best;
}

}  // namespace isthmus
