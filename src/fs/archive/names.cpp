#include "fs/archive/names.h"

#include <fmt/format.h>

namespace isthmus::fs::archive {

PathFault split_path(std::string_view path, std::vector<std::string_view>& parts) {
  parts.clear();
  if (path.empty()) return PathFault::empty;
  if (path.size() > 65536) return PathFault::too_long;
  while (!path.empty()) {
    size_t end = path.find('/');
    std::string_view one = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (one.empty() || one == ".") continue;
    if (one == "..") return PathFault::dotdot;
    if (one.size() > 255 || parts.size() == 2048) return PathFault::too_long;
    parts.push_back(one);
  }
  return PathFault::none;
}

std::string printable(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, 200)) {
    auto u = static_cast<unsigned char>(c);
    if (u < ' ' || u == 127)
      out += fmt::format("\\x{:02x}", u);
    else
      out += c;
  }
  if (name.size() > 200) out += "...";
  return out;
}

}  // namespace isthmus::fs::archive
