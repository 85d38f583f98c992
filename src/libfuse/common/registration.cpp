#include "libfuse/common/registration.h"

#include <errno.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <system_error>

#include "base/log.h"
#include "base/text.h"
#include "control/describe.h"
#include "doors/fuse/mount_table.h"
#include "libfuse/common/session.h"
#include "run/threads.h"

namespace isthmus::libfuse {
namespace {

bool wanted() {
  const char* word = secure_getenv("ISTHMUS_LIST");
  return word && std::string_view(word) == "1";
}

/// Where a device that was given as /dev/fd/N is mounted; the kernel tells which connection it is (Linux 6.11).
std::string place_of(int device) {
  constexpr std::string_view kKey = "fuse_connection:";
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(device));
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with(kKey)) continue;
    auto number = parse_number(std::string_view(line).substr(line.find_last_of(" \t") + 1), UINT32_MAX);
    for (auto& entry : fuse::mount_table())
      if (number && entry.is_fuse() && entry.minor == *number) return entry.path;
  }
  return "/dev/fd/" + std::to_string(device);
}

/// "run:sshfs host:/srv": the program, and what it says that it serves; or what it was mounted as, an add-on.
std::string label_of(const fuse::MountOptions& options) {
  if (const char* source = secure_getenv("ISTHMUS_SOURCE")) return source;
  std::string label = "run:" + (options.subtype.empty() ? program_invocation_short_name : options.subtype);
  if (!options.fsname.empty()) label += " " + options.fsname;
  return label;
}

}  // namespace

std::unique_ptr<control::ControlServer> register_session(fuse_session& se) try {
  if (!wanted() || !se.mounted) return nullptr;
  std::string place = se.mounted->path.empty() ? place_of(se.fd) : se.mounted->path;
  SignalsBlocked blocked;
  auto server = control::ControlServer::start(
      [&se, label = label_of(se.options), place = std::move(place), now = int64_t{time(nullptr)}] {
        control::Status s = control::describe(se.stats(), se.files().counters());
        s.source = label;
        s.mountpoint = place;
        s.started = now;
        return s;
      });
  if (server) return std::move(*server);
  log(LogLevel::warning, "`isthmus list` will not show this mount: {}", server.problem().what);
  return nullptr;
} catch (const std::system_error& e) {  // no thread
  log(LogLevel::warning, "`isthmus list` will not show this mount: {}", e.what());
  return nullptr;
}

}  // namespace isthmus::libfuse
