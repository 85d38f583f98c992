#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.h"

namespace isthmus::ctl {

/// A SOURCE of the command line, taken apart:
///   PATH                                         a folder (dir) or an archive file (archive), taken as it is written
///   [DECORATOR+]...SCHEME:[PATH][?key=value&...] mem: dir:PATH archive:PATH
///   DECORATOR+[DECORATOR+]...PATH[?...]          a path behind decorators
/// In the last two, %XX in the path, keys and values stands for a byte. "./" in front keeps a path with a colon a path.
struct Source {
  std::vector<std::string> decorators;  ///< outermost first
  std::string scheme;                   ///< as in the registry
  std::string path;                     ///< decoded; absolute where the scheme takes one
  std::vector<std::pair<std::string, std::string>> options;

  /// For people and status: decorators, scheme and path; no options, which may name what is nobody's business.
  std::string label() const;
};

Expected<Source> parse_source(std::string_view text);

/// %XX decoded; a Problem for a '%' without two hexadecimal digits, and for %00.
Expected<std::string> percent_decode(std::string_view text);

}  // namespace isthmus::ctl
