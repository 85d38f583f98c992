#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Paths of URLs (RFC 3986) as names of files.
namespace isthmus::http {

/// What a target or a Destination names.
struct Path {
  std::vector<std::string> names;  ///< from the root, decoded: valid UTF-8, no '/', no NUL, not empty
  bool trailing_slash = false;     ///< the client means a directory
};

/// Splits an absolute path before it decodes, so that no encoded '/' makes another name. Refused: names `.` and `..`
/// however they are written, encoded '/', '\' however it is written, NUL and other controls, broken escapes, ill-formed
/// UTF-8. Empty names are left out. A query and a fragment are cut off.
std::optional<Path> parse_path(std::string_view path);

/// Appends a name as a segment: everything but unreserved characters is escaped.
void append_segment(std::string& out, std::string_view name);

/// The value of `key` in the query of a target, decoded; none: it is not there, or broken. "" where it has no value.
std::optional<std::string> query_value(std::string_view target, std::string_view key);

}  // namespace isthmus::http
