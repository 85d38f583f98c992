#pragma once
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>

#include "base/bytes.h"

/// Numbers of wire formats, whatever the machine's own order and alignment are.
namespace isthmus {

/// Little-endian number at `offset`; none if it is not there whole.
template <std::unsigned_integral T>
constexpr std::optional<T> load_le(Bytes from, size_t offset) {
  if (offset > from.size() || from.size() - offset < sizeof(T)) return std::nullopt;
  T value = 0;
  for (size_t i = sizeof(T); i-- > 0;) value = static_cast<T>(value << 8 | std::to_integer<T>(from[offset + i]));
  return value;
}

/// The same in network order.
template <std::unsigned_integral T>
constexpr std::optional<T> load_be(Bytes from, size_t offset) {
  if (offset > from.size() || from.size() - offset < sizeof(T)) return std::nullopt;
  T value = 0;
  for (size_t i = 0; i < sizeof(T); i++) value = static_cast<T>(value << 8 | std::to_integer<T>(from[offset + i]));
  return value;
}

template <std::unsigned_integral T>
void append_le(std::string& to, std::type_identity_t<T> value) {
  for (size_t i = 0; i < sizeof(T); i++) to += static_cast<char>(value >> 8 * i & 0xff);
}

template <std::unsigned_integral T>
void append_be(std::string& to, std::type_identity_t<T> value) {
  for (size_t i = sizeof(T); i-- > 0;) to += static_cast<char>(value >> 8 * i & 0xff);
}

}  // namespace isthmus
