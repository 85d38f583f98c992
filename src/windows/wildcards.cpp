#include "windows/wildcards.h"

#include <algorithm>

#include "windows/fold.h"

namespace isthmus::windows {
namespace {

constexpr uint32_t kEndOfName = UINT32_MAX;

std::vector<uint32_t> characters(std::string_view text, bool ignore_case) {
  auto all = characters_of(text);
  if (ignore_case)
    for (uint32_t& c : all) c = upper_case(c);
  return all;
}

/// Whether the place behind `wanted` is reached, too, with `c` still to come.
bool may_be_nothing(uint32_t wanted, uint32_t c) {
  switch (wanted) {
    case '*':
    case '<':
      return true;
    case '>':
      return c == '.' || c == kEndOfName;
    case '"':
      return c == kEndOfName;
    default:
      return false;
  }
}

}  // namespace

Wildcards::Wildcards(std::string_view pattern, bool ignore_case)
    : pattern_(characters(pattern, ignore_case)),
      ignore_case_(ignore_case),
      is_name_(pattern.find_first_of("*?<>\"") == std::string_view::npos) {}

bool Wildcards::matches(std::string_view text) const {
  const auto name = characters(text, ignore_case_);
  const size_t last_dot = static_cast<size_t>(name.rend() - std::find(name.rbegin(), name.rend(), uint32_t{'.'})) - 1;
  // at[i]: the name so far can be what is in front of the pattern's i-th character.
  std::vector<bool> at(pattern_.size() + 1), next(at.size());
  at[0] = true;
  for (size_t k = 0; k <= name.size(); k++) {
    const uint32_t c = k < name.size() ? name[k] : kEndOfName;
    std::fill(next.begin(), next.end(), false);
    for (size_t i = 0; i < pattern_.size(); i++) {
      if (!at[i]) continue;
      const uint32_t wanted = pattern_[i];
      if (may_be_nothing(wanted, c)) at[i + 1] = true;
      if (c == kEndOfName) continue;
      const bool ends = c == '.' && wanted == '>' && i + 1 == pattern_.size();
      if (wanted == '*' || (wanted == '<' && k != last_dot))
        next[i] = true;
      else if (wanted == '<' || ends)
        next[i + 1] = true;
      else if (wanted == '?' || (wanted == '>' && c != '.') || (wanted == '"' && c == '.') || wanted == c)
        next[i + 1] = true;
    }
    if (c == kEndOfName) return at.back();
    at.swap(next);
  }
  return false;
}

}  // namespace isthmus::windows
