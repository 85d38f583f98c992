#include "wire/http/ranges.h"

#include <algorithm>

#include "wire/http/dates.h"
#include "wire/http/token.h"

namespace isthmus::http {
namespace {

/// Digits only; more than fits is the largest number.
std::optional<uint64_t> position(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  uint64_t n = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    auto d = static_cast<uint64_t>(c - '0');
    n = n > (UINT64_MAX - d) / 10 ? UINT64_MAX : n * 10 + d;
  }
  return n;
}

bool weak(std::string_view etag) { return etag.starts_with("W/"); }

std::string_view opaque(std::string_view etag) { return weak(etag) ? etag.substr(2) : etag; }

bool etag_char(char c) {
  auto u = static_cast<unsigned char>(c);
  return u == 0x21 || (u >= 0x23 && u != 0x7f);
}

/// Length of the entity tag at the start of s, or 0.
size_t etag_length(std::string_view s) {
  size_t at = weak(s) ? 2 : 0;
  if (at >= s.size() || s[at] != '"') return 0;
  size_t end = at + 1;
  while (end < s.size() && etag_char(s[end])) end++;
  return end < s.size() && s[end] == '"' ? end + 1 : 0;
}

}  // namespace

RangeAnswer parse_range(std::optional<std::string_view> value, uint64_t size) {
  using Kind = RangeAnswer::Kind;
  RangeAnswer whole{.kind = Kind::whole, .offset = 0, .length = size};
  constexpr std::string_view kUnit = "bytes=";
  if (!value || value->size() < kUnit.size()) return whole;
  auto same = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && (a | 0x20) == b); };
  if (!std::equal(kUnit.begin(), kUnit.end(), value->begin(), [&](char lower, char c) { return same(c, lower); }))
    return whole;
  std::string_view range = trimmed(value->substr(kUnit.size()));
  size_t dash = range.find('-');
  if (dash == std::string_view::npos) return whole;
  std::string_view first_text = range.substr(0, dash), last_text = range.substr(dash + 1);
  auto first = position(first_text), last = position(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return whole;
  if (!first) {
    if (*last == 0) return {.kind = Kind::unsatisfiable};
    if (size == 0) return whole;  // satisfiable by the RFC, but no Content-Range can say so
    uint64_t length = std::min(*last, size);
    return {.kind = Kind::part, .offset = size - length, .length = length};
  }
  if (last && *last < *first) return whole;
  if (*first >= size) return {.kind = Kind::unsatisfiable};
  uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {.kind = Kind::part, .offset = *first, .length = end - *first + 1};
}

bool strong_match(std::string_view a, std::string_view b) { return !a.empty() && !weak(a) && a == b; }

bool weak_match(std::string_view a, std::string_view b) { return !a.empty() && opaque(a) == opaque(b); }

EtagMatch find_etag(std::string_view list, std::string_view etag, bool strong) {
  list = trimmed(list);
  if (list == "*") return EtagMatch::any;
  EtagMatch found = EtagMatch::none;
  bool some = false;
  while (!list.empty()) {
    if (list.front() == ',' || is_blank(list.front())) {
      list.remove_prefix(1);
      continue;
    }
    size_t length = etag_length(list);
    if (length == 0) return EtagMatch::bad;
    std::string_view one = list.substr(0, length);
    if (strong ? strong_match(one, etag) : weak_match(one, etag)) found = EtagMatch::listed;
    list = trimmed(list.substr(length));
    if (!list.empty() && list.front() != ',') return EtagMatch::bad;
    some = true;
  }
  return some ? found : EtagMatch::bad;
}

Verdict preconditions(const Conditionals& headers, const Current& now, bool get_or_head) {
  auto listed = [&](std::string_view list, bool strong) {
    EtagMatch match = find_etag(list, now.exists ? now.etag : std::string_view(), strong);
    return match == EtagMatch::listed || (match == EtagMatch::any && now.exists);
  };
  // Whether the resource changed after the date; none if that cannot be said.
  auto changed_since = [&](std::optional<std::string_view> value) -> std::optional<bool> {
    auto date = value ? parse_date(trimmed(*value)) : std::nullopt;
    if (!date || !now.exists || !now.mtime) return std::nullopt;
    return now.mtime->sec > date->sec;
  };
  if (headers.if_match) {
    if (!listed(*headers.if_match, true)) return Verdict::precondition_failed;
  } else if (changed_since(headers.if_unmodified_since).value_or(false)) {
    return Verdict::precondition_failed;
  }
  Verdict unchanged = get_or_head ? Verdict::not_modified : Verdict::precondition_failed;
  if (headers.if_none_match) return listed(*headers.if_none_match, false) ? unchanged : Verdict::go_on;
  if (get_or_head && !changed_since(headers.if_modified_since).value_or(true)) return unchanged;
  return Verdict::go_on;
}

bool if_range_holds(std::optional<std::string_view> value, const Current& now) {
  if (!value) return true;
  std::string_view validator = trimmed(*value);
  if (validator.find('"') != std::string_view::npos)
    return etag_length(validator) == validator.size() && strong_match(validator, now.etag);
  auto date = parse_date(validator);
  return date && now.mtime && date->sec == now.mtime->sec;
}

}  // namespace isthmus::http
