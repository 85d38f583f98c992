#include "fs/mail/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/utf16.h"
#include "base/utf8.h"

namespace isthmus::fs::mail {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr size_t kMostName = 255, kMostEnding = 16;
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// C0, DEL, C1, and the marks that turn text around (Unicode's Bidi_Control). `c` is one well-formed sequence.
bool is_control(std::string_view c) {
  const auto b = [&](size_t i) { return static_cast<unsigned char>(c[i]); };
  if (c.size() == 1) return b(0) < 0x20 || b(0) == 0x7f;
  if (c.size() == 2) return (b(0) == 0xc2 && b(1) < 0xa0) || c == "\xd8\x9c";
  if (c.size() != 3 || b(0) != 0xe2) return false;
  if (b(1) == 0x80) return b(2) == 0x8e || b(2) == 0x8f || (b(2) >= 0xa8 && b(2) <= 0xae);
  return b(1) == 0x81 && b(2) >= 0xa6 && b(2) <= 0xa9;
}

template <class F>
void for_each_character(std::string_view text, F f) {
  while (!text.empty()) {
    const size_t n = utf8_sequence(text);
    f(n ? text.substr(0, n) : std::string_view());
    text.remove_prefix(n ? n : 1);
  }
}

/// Cut at a character's end.
std::string_view cut(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) most--;
  return text.substr(0, most);
}

/// Where the ending of a name begins; its size if it has none.
size_t ending_at(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == name.npos || dot == 0 || name.size() - dot > kMostEnding ? name.size() : dot;
}

/// `stem` + `mark` + ending, within the length of a name.
std::string with_mark(std::string_view name, std::string_view mark) {
  const size_t at = ending_at(name);
  const auto ending = name.substr(at);
  return std::string(cut(name.substr(0, at), kMostName - ending.size() - mark.size())).append(mark).append(ending);
}

}  // namespace

std::string scrub_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string out;
  for_each_character(text, [&](std::string_view c) { out += c.empty() ? kReplacement : c; });
  return out;
}

std::string scrub_line(std::string_view text) {
  std::string out;
  for_each_character(text, [&](std::string_view c) {
    if (c == "\t")
      out += ' ';
    else
      out += c.empty() || is_control(c) ? kReplacement : c;
  });
  return out;
}

std::string safe_name(std::string_view text, std::string_view otherwise) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  std::string name;
  for_each_character(text, [&](std::string_view c) {
    if (c.empty())
      name += kReplacement;
    else if (c == "/" || c == "\\" || is_control(c))
      name += '_';
    else
      name += c;
  });
  if (!name.empty() && name[0] == '.') name[0] = '_';
  if (name.empty()) name = otherwise;
  return name.size() > kMostName ? with_mark(name, "") : name;
}

std::string UniqueNames::add(const std::string& name) {
  if (taken_.insert(lower_ascii(name)).second) return name;
  for (uint64_t n = 2;; n++) {
    std::string other = with_mark(name, fmt::format("~{}", n));
    if (taken_.insert(lower_ascii(other)).second) return other;
  }
}

bool UniqueNames::has(const std::string& name) const { return taken_.contains(lower_ascii(name)); }

bool is_number_name(std::string_view name) {
  return name.size() >= 3 && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::string> utf8_of_mailbox(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); i++) {
    const char c = name[i];
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) return std::nullopt;
    if (c != '&') {
      out += c;
      continue;
    }
    const size_t end = name.find('-', i);
    if (end == name.npos) return std::nullopt;
    if (end == i + 1) {
      out += '&';
      i = end;
      continue;
    }
    std::string utf16;
    uint32_t bits = 0;
    int count = 0;
    std::string units;
    for (char b : name.substr(i + 1, end - i - 1)) {
      const size_t value = kBase64.find(b);
      if (value == kBase64.npos) return std::nullopt;
      bits = bits << 6 | static_cast<uint32_t>(value);
      count += 6;
      if (count >= 8) {
        count -= 8;
        units += static_cast<char>(bits >> count & 0xff);
      }
    }
    if (count >= 6 || (bits & ((1u << count) - 1)) != 0 || units.size() % 2 != 0) return std::nullopt;
    for (size_t u = 0; u < units.size(); u += 2) utf16.append({units[u + 1], units[u]});  // big-endian there
    const auto text = utf8_of(as_bytes(utf16));
    if (!text) return std::nullopt;
    out += *text;
    i = end;
  }
  return out;
}

std::string mailbox_of_utf8(std::string_view name) {
  std::string out, run;
  const auto flush = [&] {
    if (run.empty()) return;
    const std::string utf16 = utf16_of(run).value_or("");
    out += '&';
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i + 1 < utf16.size(); i += 2)
      for (const char b : {utf16[i + 1], utf16[i]}) {
        bits = bits << 8 | static_cast<unsigned char>(b);
        for (count += 8; count >= 6; count -= 6) out += kBase64[bits >> (count - 6) & 63];
      }
    if (count > 0) out += kBase64[bits << (6 - count) & 63];
    out += '-';
    run.clear();
  };
  for_each_character(scrub_utf8(name), [&](std::string_view c) {
    if (c.size() == 1 && c[0] >= 0x20 && c[0] <= 0x7e) {
      flush();
      out += c;
      if (c[0] == '&') out += '-';
    } else {
      run += c;
    }
  });
  flush();
  return out;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace isthmus::fs::mail
