#pragma once
#include <compare>
#include <string>
#include <string_view>

namespace isthmus::dav {

inline constexpr std::string_view kDav = "DAV:";
inline constexpr std::string_view kMicrosoft = "urn:schemas-microsoft-com:";

/// Name of an XML element or property: namespace (empty: none) and local part, both UTF-8.
struct Name {
  std::string ns, local;
  friend auto operator<=>(const Name&, const Name&) = default;
};

}  // namespace isthmus::dav
