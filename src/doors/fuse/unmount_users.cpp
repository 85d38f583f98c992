#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <fstream>

#include "base/folder.h"
#include "base/text.h"
#include "doors/fuse/unmount.h"

namespace isthmus::fuse {
namespace {

/// Target of a link of /proc, without following it: following would ask the file system, which may be hung.
std::string link_of(const std::string& link) {
  char text[PATH_MAX];
  ssize_t n = readlink(link.c_str(), text, sizeof text);
  return n <= 0 ? std::string() : std::string(text, static_cast<size_t>(n));
}

bool below(const std::string& path, const std::string& top) {
  if (top == "/") return path.starts_with("/");
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/' || path[top.size()] == ' ');
}

/// The mount id in /proc/PID/fdinfo/N, which tells a mount from a path that looks like it.
bool open_in(const std::string& proc, const std::string& fd, int mount_id) {
  std::ifstream info(proc + "/fdinfo/" + fd);
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("mnt_id:")) return parse_number(line.substr(line.find_first_of("0123456789"))) == mount_id;
  return false;
}

bool mapped(const std::string& proc, const MountEntry& m) {
  std::ifstream maps(proc + "/maps");
  char device[32];
  snprintf(device, sizeof device, " %02x:%02x ", m.major, m.minor);
  for (std::string line; std::getline(maps, line);)
    if (line.find(device) != std::string::npos) return true;
  return false;
}

std::string used_by(const std::string& proc, const MountEntry& m) {
  for (const char* kind : {"cwd", "root", "exe"})
    if (below(link_of(proc + "/" + kind), m.path)) return kind;
  for (auto& fd : names_in(proc + "/fd"))
    if (open_in(proc, fd, m.id)) return fmt::format("fd {} ({})", fd, link_of(fmt::format("{}/fd/{}", proc, fd)));
  return mapped(proc, m) ? "map" : "";
}

}  // namespace

std::vector<MountUser> users_of(const MountEntry& m) {
  std::vector<MountUser> users;
  for (auto& name : names_in("/proc")) {
    auto pid = parse_number(name, INT_MAX);
    if (!pid) continue;
    std::string proc = "/proc/" + name, by = used_by(proc, m);
    if (by.empty()) continue;
    MountUser u{.pid = static_cast<int>(*pid), .name = "", .by = by};
    std::ifstream comm(proc + "/comm");
    std::getline(comm, u.name);
    users.push_back(std::move(u));
  }
  return users;
}

}  // namespace isthmus::fuse
