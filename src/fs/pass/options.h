#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace isthmus::fs::pass {

/// How much a door may believe of what it was told before (docs/pass.md).
enum class Cache { none, automatic, always };

/// Whether to hear what others change in the folder: automatic where that is possible.
enum class Watching { automatic, on, off };

/// What a user may set after the folder's name. parse() reads them from text.
struct PassOptions {
  Cache cache = Cache::automatic;
  bool read_only = false;
  Watching watch = Watching::automatic;
  size_t max_fds = 0;   ///< descriptors kept open for known nodes, at most a quarter of RLIMIT_NOFILE; 0: docs/pass.md
  bool handles = true;  ///< use kernel file handles where they work; off: parent and name (for tests, odd stores)

  /// cache=none|auto|always, ro, rw, watch=auto|on|off, fds=N, handles=yes|no. A flag has an empty value. Answers the
  /// empty string, or what is wrong and what would be right.
  static std::string parse(std::span<const std::pair<std::string, std::string>> pairs, PassOptions& to);
};

}  // namespace isthmus::fs::pass
