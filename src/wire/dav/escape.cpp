#include "wire/dav/escape.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace isthmus::dav {
namespace {

enum : uint8_t { plain, special, other };

constexpr std::array<uint8_t, 256> table(std::string_view specials) {
  std::array<uint8_t, 256> t{};
  for (unsigned c = 0; c < 256; c++) t[c] = c < 0x20 || c >= 0x80 ? other : plain;
  t['\t'] = t['\n'] = plain;
  for (char c : specials) t[static_cast<unsigned char>(c)] = special;
  return t;
}
// A raw carriage return would be read as a line feed; in attributes every white space would be read as a space.
constexpr auto kText = table("&<>\r");
constexpr auto kAttribute = table("&<>\"\t\n\r");

std::string_view escape_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\t':
      return "&#9;";
    case '\n':
      return "&#10;";
    default:
      return "&#13;";
  }
}

void append(std::string& out, std::string_view text, const std::array<uint8_t, 256>& kinds) {
  size_t done = 0;  // what is before is in `out`
  for (size_t at = 0; at < text.size();) {
    uint8_t kind = kinds[static_cast<unsigned char>(text[at])];
    if (kind == plain) {
      at++;
      continue;
    }
    if (kind == other) {
      size_t n = utf8_sequence(text.substr(at));
      std::string_view c = text.substr(at, n);
      if (n > 1 && c != "\xef\xbf\xbe" && c != "\xef\xbf\xbf") {
        at += n;
        continue;
      }
      out.append(text, done, at - done).append("\xef\xbf\xbd");
      at += n > 1 ? n : 1;
    } else {
      out.append(text, done, at - done).append(escape_of(text[at]));
      at++;
    }
    done = at;
  }
  out.append(text, done);
}

}  // namespace

void append_text(std::string& out, std::string_view text) { append(out, text, kText); }
void append_attribute(std::string& out, std::string_view value) { append(out, value, kAttribute); }

}  // namespace isthmus::dav
