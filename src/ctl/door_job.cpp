#include "ctl/door_job.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

#include <fstream>

#include "base/text.h"
#include "doors/common/secret.h"

namespace isthmus::ctl {
namespace {

Expected<std::string> read_password(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line) || line.empty())
    return Problem{err(ENOENT), fmt::format("cannot read a password from '{}'", path),
                   "its first line is the password"};
  return line;
}

Expected<uint32_t> uid_of(const std::string& user) {
  if (auto number = parse_number(user, UINT32_MAX - 1)) return static_cast<uint32_t>(*number);
  if (const passwd* found = getpwnam(user.c_str())) return found->pw_uid;
  return Problem{err(EINVAL), fmt::format("--allow-uid: there is no user '{}'", user),
                 "give a name or a number of /etc/passwd"};
}

}  // namespace

Expected<std::string> password_of(const std::string& file) {
  return file.empty() ? Expected<std::string>(random_secret()) : read_password(file);
}

Expected<std::vector<uint32_t>> uids_of(const std::vector<std::string>& users) {
  std::vector<uint32_t> uids;
  for (const std::string& user : users) {
    auto uid = uid_of(user);
    if (!uid) return uid.problem();
    uids.push_back(*uid);
  }
  return uids;
}

uint32_t own_umask() {
  const mode_t mask = umask(022);
  umask(mask);
  return mask;
}

Expected<Endpoint> parse_endpoint(const std::string& text) {
  Endpoint at;
  std::string port = text;
  if (text.starts_with('[')) {
    size_t end = text.find(']');
    if (end == std::string::npos) return Problem{err(EINVAL), "'" + text + "': the ']' is missing", "[::1]:8080"};
    at.address = text.substr(1, end - 1);
    if (end + 1 < text.size() && text[end + 1] != ':')
      return Problem{err(EINVAL), "'" + text + "': a ':' has to follow the ']'", "[::1]:8080"};
    port = text.substr(std::min(end + 2, text.size()));
  } else {
    const size_t colon = text.find(':');
    const bool one_colon = colon != std::string::npos && text.find(':', colon + 1) == std::string::npos;
    if (one_colon) {
      at.address = text.substr(0, colon);
      port = text.substr(colon + 1);
    } else if (text.find_first_of(".:") != std::string::npos) {
      at.address = text;
      return at;
    }
  }
  if (port.empty()) return at;
  auto number = parse_number(port, UINT16_MAX);
  if (!number)
    return Problem{err(EINVAL), "'" + text + "' is no address and port", "for instance 127.0.0.1:8080, or 8080"};
  at.port = static_cast<uint16_t>(*number);
  return at;
}

}  // namespace isthmus::ctl
