#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::dav {

/// The If header (RFC 4918 section 10.4).
struct Condition {
  bool negated = false;
  bool is_etag = false;
  std::string value;  ///< a state token without <>, or an entity tag as it was sent: "abc" or W/"abc", quotes included
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// Holds if all its conditions do. A header holds if one of its lists does.
struct IfList {
  std::string resource;  ///< its tag without <>: absolute URI or path, as sent; empty: the request's own resource
  std::vector<Condition> conditions;
  friend bool operator==(const IfList&, const IfList&) = default;
};

inline constexpr size_t kMaxIfHeader = 64 << 10;  ///< bytes
inline constexpr size_t kMaxIfConditions = 256;   ///< in all lists together

/// None if it is malformed or beyond the limits: answer 400. Tokens need not be URIs: one that is none matches nothing.
std::optional<std::vector<IfList>> parse_if(std::string_view value);

/// Whether the header holds. `matches(const std::string& resource, const Condition&)` tells whether the resource is in
/// that state, `negated` not looked at.
template <class Matches>
bool evaluate(const std::vector<IfList>& lists, Matches&& matches) {
  for (auto& list : lists) {
    bool holds = true;
    for (auto& condition : list.conditions)
      if (holds && matches(list.resource, condition) == condition.negated) holds = false;
    if (holds) return true;
  }
  return false;
}

/// All state tokens of the header, each once: to name a token anywhere in it is to submit it (section 10.4.1). They
/// point into `lists`.
std::vector<std::string_view> submitted_tokens(const std::vector<IfList>& lists);

}  // namespace isthmus::dav
