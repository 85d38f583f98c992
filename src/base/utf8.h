#pragma once
#include <cstddef>
#include <string_view>

namespace isthmus {

/// Length in bytes of the well-formed UTF-8 sequence at the start of s (Unicode 15, table 3-7: no overlong forms, no
/// surrogates, at most U+10FFFF), or 0.
size_t utf8_sequence(std::string_view s);

bool is_utf8(std::string_view s);

}  // namespace isthmus
