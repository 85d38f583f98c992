#pragma once
#include <string>
#include <string_view>

namespace isthmus::dav {

/// Appends character data, escaped. Any bytes are taken: what is not UTF-8 or not a character of XML 1.0 becomes
/// U+FFFD.
void append_text(std::string& out, std::string_view text);
/// The same for the value of an attribute in double quotes.
void append_attribute(std::string& out, std::string_view value);

}  // namespace isthmus::dav
