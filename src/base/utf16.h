#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace isthmus {

/// As SMB has it: little-endian UTF-16, without a mark of the order. None: not UTF-8.
std::optional<std::string> utf16_of(std::string_view utf8);
/// None: an odd number of bytes, or half of a surrogate pair.
std::optional<std::string> utf8_of(Bytes utf16);

}  // namespace isthmus
