#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::fs::archive {

enum class PathFault { none, dotdot, too_long, empty };

/// Takes an entry's path apart into components, without ".", "" and a leading "/". Other bytes are kept as they are,
/// backslashes and bad UTF-8 too. `parts` may come out empty: the root itself.
/// dotdot: a component is ".."; too_long: one is over 255 bytes, the path over 64 KiB or deeper than 2,048.
PathFault split_path(std::string_view path, std::vector<std::string_view>& parts);

/// For messages: control characters as \xNN, cut at 200 bytes.
std::string printable(std::string_view name);

}  // namespace isthmus::fs::archive
