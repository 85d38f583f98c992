#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace isthmus {

/// A whole number in decimal, nothing around it; none if it is not one or is above `max`.
std::optional<uint64_t> parse_number(std::string_view text, uint64_t max = UINT64_MAX);
/// The same with an optional suffix k, m, g or t (powers of 1024, either case).
std::optional<uint64_t> parse_bytes(std::string_view text, uint64_t max = UINT64_MAX);
/// Seconds with decimals ("0.5"), as milliseconds, rounded down; none if negative, malformed or above 2^32 - 2 ms.
std::optional<uint32_t> parse_seconds(std::string_view text);

/// 0..15 for a hexadecimal digit of either case, -1 for any other character.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// The entry of `names` with the fewest edits to `name`, if that is few enough to be a typing error; else empty.
std::string_view nearest(std::string_view name, std::span<const std::string_view> names);

}  // namespace isthmus
