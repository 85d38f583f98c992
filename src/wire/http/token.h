#pragma once
#include <string_view>

/// Characters of HTTP's header fields (RFC 9110 section 5.6), which those of WebDAV share.
namespace isthmus::http {

/// A space or a tab.
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
/// ASCII only: what the locale says does not matter.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
/// tchar of section 5.6.2.
constexpr bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
/// Without blanks at both ends.
constexpr std::string_view trimmed(std::string_view s) {
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  return s;
}

}  // namespace isthmus::http
