// Two trees compared: names, types, modes, owners, sizes, link targets, hard link identity, content, attributes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace isthmus::conformance {

struct TreeRules {
  bool owners = true;
  bool times = true;  // modification times, in units of time_ns
  std::uint64_t time_ns = 1;
  // Times from this second on are "now": both must be that recent, whatever they are. 0: all times must be equal.
  std::int64_t recent_from = 0;
  bool xattrs = true;  // all names but security.* and the ACLs of the system.* name space
  bool dir_nlink = true;
  bool dir_mtime = true;
  bool content = true;
  bool root = true;  // compare also the two top folders themselves
};

// Differences, at most `limit`, each a line with the path, what was expected (in `expected`) and what was found (in
// `got`).
std::vector<std::string> compare_trees(const std::string& expected, const std::string& got, const TreeRules& rules,
                                       std::size_t limit = 20);

}  // namespace isthmus::conformance
