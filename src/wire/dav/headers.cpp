#include "wire/dav/headers.h"

#include <algorithm>

#include "wire/http/token.h"

namespace isthmus::dav {

using http::lower;
using http::trimmed;

namespace {

/// Whether s begins with the lower case `prefix`, in any case.
bool begins(std::string_view s, std::string_view prefix) {
  return s.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), s.begin(), [](char p, char c) { return p == lower(c); });
}

bool same(std::string_view s, std::string_view name) { return s.size() == name.size() && begins(s, name); }

std::optional<uint32_t> timeout(std::string_view entry) {
  constexpr std::string_view kSecond = "second-";
  if (same(entry, "infinite")) return kInfiniteTimeout;
  if (!begins(entry, kSecond) || entry.size() == kSecond.size()) return std::nullopt;
  uint64_t n = 0;
  for (char c : entry.substr(kSecond.size())) {
    if (c < '0' || c > '9') return std::nullopt;
    n = std::min<uint64_t>(n * 10 + static_cast<uint64_t>(c - '0'), kInfiniteTimeout);
  }
  return static_cast<uint32_t>(n);
}

}  // namespace

Depth parse_depth(std::optional<std::string_view> value) {
  if (!value) return Depth::absent;
  std::string_view v = trimmed(*value);
  if (v == "0") return Depth::zero;
  if (v == "1") return Depth::one;
  return same(v, "infinity") ? Depth::infinity : Depth::bad;
}

std::optional<uint32_t> parse_timeout(std::optional<std::string_view> value) {
  std::string_view rest = value.value_or("");
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(','), rest.size());
    if (auto t = timeout(trimmed(rest.substr(0, comma)))) return t;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return std::nullopt;
}

std::optional<bool> parse_overwrite(std::optional<std::string_view> value) {
  if (!value) return true;
  std::string_view v = trimmed(*value);
  if (same(v, "t")) return true;
  if (same(v, "f")) return false;
  return std::nullopt;
}

std::optional<std::string_view> parse_lock_token(std::string_view value) {
  std::string_view v = trimmed(value);
  if (v.starts_with('<') != v.ends_with('>')) return std::nullopt;
  if (v.starts_with('<')) v = v.substr(1, v.size() - 2);
  for (char c : v) {
    auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u == 0x7f || c == '<' || c == '>' || c == '"') return std::nullopt;
  }
  if (v.empty()) return std::nullopt;
  return v;
}

std::optional<Destination> parse_destination(std::string_view value) {
  std::string_view v = trimmed(value);
  for (char c : v) {
    auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u == 0x7f || c == '?' || c == '#') return std::nullopt;
  }
  Destination d;
  if (!v.starts_with('/')) {
    size_t colon = v.find("://");
    if (colon == std::string_view::npos) return std::nullopt;
    d.scheme = v.substr(0, colon);
    if (!same(d.scheme, "http") && !same(d.scheme, "https")) return std::nullopt;
    v.remove_prefix(colon + 3);
    size_t slash = std::min(v.find('/'), v.size());
    d.authority = v.substr(0, slash);
    if (d.authority.empty() || d.authority.find('@') != std::string_view::npos) return std::nullopt;
    v.remove_prefix(slash);
  } else if (v.starts_with("//")) {
    return std::nullopt;  // a host without a scheme
  }
  d.path = v.empty() ? std::string_view("/") : v;
  return d;
}

}  // namespace isthmus::dav
