#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "base/clock.h"
#include "base/folder.h"
#include "base/text.h"
#include "control/control.h"

namespace isthmus::control {
namespace {

struct Socket {
  std::string path;
  uint32_t owner;
};

/// Sockets of a folder that belongs to `owner` alone; others' folders are not believed.
void collect(const std::string& folder, uint32_t owner, std::vector<Socket>& to) {
  struct stat st {};
  if (lstat(folder.c_str(), &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != owner || (st.st_mode & 077) != 0) return;
  for (auto& name : names_in(folder))
    if (name.ends_with(".sock")) to.push_back({fmt::format("{}/{}", folder, name), owner});
}

std::vector<Socket> all_sockets() {
  std::vector<Socket> sockets;
  if (auto own = control_folder()) collect(*own, geteuid(), sockets);
  if (geteuid() != 0 || secure_getenv("ISTHMUS_RUNTIME_DIR")) return sockets;
  for (auto& name : names_in("/run/user"))
    if (auto uid = parse_number(name, UINT32_MAX); uid && *uid != 0)
      collect("/run/user/" + name + "/isthmus", static_cast<uint32_t>(*uid), sockets);
  constexpr std::string_view kPrefix = "isthmus-";
  for (auto& name : names_in("/tmp"))
    if (name.starts_with(kPrefix))
      if (auto uid = parse_number(std::string_view(name).substr(kPrefix.size()), UINT32_MAX); uid && *uid != 0)
        collect("/tmp/" + name, static_cast<uint32_t>(*uid), sockets);
  return sockets;
}

}  // namespace

std::vector<Status> list_mounts(int interval_ms) {
  struct Seen {
    Socket socket;
    Status status;
    int64_t at;
  };
  std::vector<Seen> seen;
  for (auto& s : all_sockets()) {
    auto status = ask_status(s.path, s.owner);
    if (status)
      seen.push_back({s, std::move(*status), monotonic_ns()});
    else if (status.problem().code == err(ECONNREFUSED))
      unlink(s.path.c_str());
  }
  if (interval_ms > 0 && !seen.empty()) {
    timespec nap{.tv_sec = interval_ms / 1000, .tv_nsec = interval_ms % 1000 * 1'000'000L};
    nanosleep(&nap, nullptr);
  }
  std::vector<Status> result;
  for (auto& s : seen) {
    if (interval_ms > 0)
      if (auto later = ask_status(s.socket.path, s.socket.owner)) {
        double seconds = static_cast<double>(monotonic_ns() - s.at) / static_cast<double>(kNsPerSec);
        double more = static_cast<double>(later->operations - std::min(later->operations, s.status.operations));
        s.status = std::move(*later);
        s.status.per_second = seconds > 0 ? more / seconds : 0;
      }
    result.push_back(std::move(s.status));
  }
  std::sort(result.begin(), result.end(), [](auto& a, auto& b) { return a.mountpoint < b.mountpoint; });
  return result;
}

}  // namespace isthmus::control
