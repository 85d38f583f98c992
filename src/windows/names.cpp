#include "windows/names.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace isthmus::windows {
namespace {

/// From U+F020 on, what Services for Macintosh has there, as Apple's smbfs and Linux's cifs do.
constexpr std::string_view kSfm = "\"*:<>?\\| .";

/// U+F000 + byte: EF 80..83 80..BF.
void append_private(std::string& out, unsigned char byte, NameRules rules) {
  if (const size_t at = kSfm.find(static_cast<char>(byte)); rules == NameRules::sfm && at != std::string_view::npos)
    byte = static_cast<unsigned char>(0x20 + at);
  out += '\xEF';
  out += static_cast<char>(0x80 | byte >> 6);
  out += static_cast<char>(0x80 | (byte & 0x3F));
}

/// The byte of a character U+F000..U+F0FF at the start of s, or -1.
int private_byte(std::string_view s) {
  if (s.size() < 3 || s[0] != '\xEF') return -1;
  const auto second = static_cast<unsigned char>(s[1]), third = static_cast<unsigned char>(s[2]);
  if (second < 0x80 || second > 0x83 || third < 0x80 || third > 0xBF) return -1;
  return (second & 3) << 6 | (third & 0x3F);
}

/// What stands for the byte that a private character means, or -1.
int meaning_of(std::string_view s, NameRules rules) {
  const int byte = private_byte(s);
  if (rules != NameRules::sfm || byte < 0x20 || byte >= 0x7f) return byte;
  return static_cast<size_t>(byte - 0x20) < kSfm.size() ? kSfm[static_cast<size_t>(byte - 0x20)] : -1;
}

/// What no rules change, wherever it stands.
constexpr auto kPlain = [] {
  std::array<bool, 256> t{};
  for (int c = '0'; c <= '9'; ++c) t[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) t[static_cast<size_t>(c)] = t[static_cast<size_t>(c - 'a' + 'A')] = true;
  t['_'] = t['-'] = true;
  return t;
}();

bool is_plain(std::string_view name) {
  // A dot only at the end is more than itself.
  if (!name.empty() && name.back() == '.') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c == '.' || kPlain[static_cast<unsigned char>(c)]; });
}

bool refused(char c, NameRules rules) {
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return true;
  return rules != NameRules::text && std::string_view("<>:\"|?*").find(c) != std::string_view::npos;
}

}  // namespace

std::string to_client(std::string_view name, NameRules rules) {
  if (is_plain(name)) return std::string(name);
  std::string out;
  out.reserve(name.size());
  size_t plain_end = name.size();
  if (rules != NameRules::text && !name.empty() && (name.back() == '.' || name.back() == ' ')) --plain_end;
  for (size_t i = 0; i < name.size();) {
    const std::string_view rest = name.substr(i);
    const size_t n = utf8_sequence(rest);
    const bool keep = n > 0 && private_byte(rest) < 0 && !(n == 1 && refused(rest[0], rules)) && i < plain_end;
    const size_t taken = n == 0 ? 1 : n;
    for (size_t k = 0; k < taken; ++k) {
      if (keep)
        out += rest[k];
      else
        append_private(out, static_cast<unsigned char>(rest[k]), rules);
    }
    i += taken;
  }
  return out;
}

std::optional<std::string> from_client(std::string_view name, NameRules rules) {
  if (!is_utf8(name)) return std::nullopt;
  if (name.find('\xEF') == std::string_view::npos) return std::string(name);
  std::string out;
  for (size_t i = 0; i < name.size();) {
    if (const int byte = meaning_of(name.substr(i), rules); byte >= 0) {
      out += static_cast<char>(byte);
      i += 3;
    } else {
      out += name[i++];
    }
  }
  // '/' and NUL are no part of a name, whoever writes them.
  if (out.find_first_of(std::string_view("/\0", 2)) != std::string::npos || out == "." || out == ".." ||
      to_client(out, rules) != name)
    return std::string(name);
  return out;
}

}  // namespace isthmus::windows
