#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace isthmus::windows {

/// A security identifier (MS-DTYP section 2.4.2): whom an entry of an access list is about.
struct Sid {
  static constexpr size_t kMost = 15;

  uint64_t authority = 0;  ///< 48 bits
  uint8_t count = 0;       ///< of the numbers below
  std::array<uint32_t, kMost> numbers{};

  constexpr Sid() = default;
  constexpr Sid(uint64_t a, std::initializer_list<uint32_t> below) : authority(a) {
    for (uint32_t n : below) numbers[count++] = n;
  }
  std::span<const uint32_t> below() const { return {numbers.data(), count}; }
  /// Whether it is `domain` with one number more.
  bool is_in(const Sid& domain) const;
  std::strong_ordering operator<=>(const Sid&) const = default;
};

inline constexpr Sid kNobody{0, {0}}, kEveryone{1, {0}}, kCreatorOwner{3, {0}}, kCreatorGroup{3, {1}},
    kAuthenticatedUsers{5, {11}}, kLocalSystem{5, {18}}, kAdministrators{5, {32, 544}};

/// "S-1-5-32-544".
std::string to_text(const Sid& sid);
std::optional<Sid> parse_sid(std::string_view text);
/// 8 + 4 * count bytes.
void append_sid(std::string& to, const Sid& sid);
size_t sid_size(const Sid& sid);
/// At the beginning of `from`; what follows it is not looked at.
std::optional<Sid> read_sid(Bytes from);

}  // namespace isthmus::windows
