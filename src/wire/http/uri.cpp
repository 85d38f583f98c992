#include "wire/http/uri.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/utf8.h"

namespace isthmus::http {

namespace {

std::optional<std::string> decode(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '%') {
      out += s[i];
      continue;
    }
    if (s.size() - i < 3) return std::nullopt;
    const int high = hex_digit(s[i + 1]), low = hex_digit(s[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

bool is_name(std::string_view name) {
  return name != "." && name != ".." && is_utf8(name) && std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/' || c == '\\';
         });
}

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"))
    plain[c] = true;
  return plain;
}();

}  // namespace

std::optional<Path> parse_path(std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  if (path.empty() || path[0] != '/') return std::nullopt;
  Path result;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment.empty()) continue;
    auto name = decode(segment);
    if (!name || !is_name(*name)) return std::nullopt;
    result.names.push_back(std::move(*name));
    result.trailing_slash = !path.empty();
  }
  return result;
}

void append_segment(std::string& out, std::string_view name) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain[byte]) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

std::optional<std::string> query_value(std::string_view target, std::string_view key) {
  target = target.substr(0, target.find('#'));
  size_t mark = target.find('?');
  std::string_view query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.substr(0, pair.find('=')) != key) continue;
    pair.remove_prefix(std::min(key.size() + 1, pair.size()));
    return decode(pair);
  }
  return std::nullopt;
}

}  // namespace isthmus::http
