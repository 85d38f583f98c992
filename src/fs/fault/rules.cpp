#include "fs/fault/rules.h"

#include <fmt/format.h>

#include <charconv>

#include "base/result.h"
#include "vfs/op_names.h"

namespace isthmus::fs::fault {
namespace {

constexpr int kLastErrno = 133;

std::string_view next(std::string_view& rest, char separator) {
  std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

template <class N>
bool number(std::string_view s, N& out) {
  auto [end, e] = std::from_chars(s.data(), s.data() + s.size(), out);
  return e == std::errc{} && end == s.data() + s.size() && !s.empty();
}

bool operations(std::string_view text, uint64_t& bits) {
  if (text == "*") {
    bits = ~uint64_t{0};
    return true;
  }
  std::string_view wrong;
  auto named = parse_op_names(text, '+', wrong);
  if (named) bits = named->bits();
  return bits != 0;
}

int errno_of(std::string_view name) {
  for (int e = 1; e <= kLastErrno; e++)
    if (name_of(err(e)) == name) return e;
  return 0;
}

bool duration(std::string_view s, uint64_t& ns) {
  size_t digits = s.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return false;
  std::string_view unit = s.substr(digits);
  uint64_t scale = unit == "us" ? 1'000 : unit == "ms" ? 1'000'000 : unit == "s" ? 1'000'000'000 : 0;
  constexpr uint64_t kLongest = 3600'000'000'000;
  if (scale == 0 || !number(s.substr(0, digits), ns) || ns > kLongest / scale) return false;
  ns *= scale;
  return true;
}

bool action(std::string_view text, Rule& r) {
  std::string_view value = text;
  std::string_view key = next(value, '=');
  if (key == "delay") {
    r.action = Rule::Action::delay;
    return duration(value, r.amount);
  }
  if (key == "short") {
    r.action = Rule::Action::shorten;
    r.percent = value.ends_with('%');
    if (r.percent) value.remove_suffix(1);
    return number(value, r.amount) && (!r.percent || r.amount <= 100);
  }
  r.error = errno_of(text);
  return r.error != 0;
}

bool condition(std::string_view text, Rule& r) {
  std::string_view value = text;
  std::string_view key = next(value, '=');
  if (key == "p") return number(value, r.chance) && r.chance >= 0 && r.chance <= 1;
  if (key == "after") return number(value, r.after);
  if (key == "count") return number(value, r.count);
  if (key == "every") return number(value, r.every) && r.every > 0;
  if (key == "name") r.name = value;
  return key == "name" && !value.empty();
}

}  // namespace

bool parse_rules(std::string_view text, std::vector<Rule>& out, std::string& why) {
  auto wrong = [&](std::string_view rule, std::string_view part, std::string_view accepted) {
    why = fmt::format("fault rule '{}': '{}' is not {}", rule, part, accepted);
    return false;
  };
  while (!text.empty()) {
    std::string_view whole = next(text, ';'), rest = whole;
    if (whole.empty()) continue;
    Rule r;
    std::string_view part = next(rest, ':');
    if (!operations(part, r.operations))
      return wrong(whole, part, "'*' or operation names joined by '+', such as read+write");
    part = next(rest, ':');
    if (!action(part, r))
      return wrong(whole, part, "an errno name such as ENOSPC, delay=N with us, ms or s, short=N or short=N%");
    while (!rest.empty()) {
      part = next(rest, ':');
      if (!condition(part, r)) return wrong(whole, part, "p=0..1, after=N, count=N, every=N or name=GLOB");
    }
    out.push_back(std::move(r));
  }
  return true;
}

}  // namespace isthmus::fs::fault
