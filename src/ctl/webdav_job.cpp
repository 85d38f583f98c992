#include "ctl/webdav_job.h"

#include <fmt/format.h>

#include "ctl/door_job.h"
#include "doors/common/secret.h"

namespace isthmus::ctl {
Expected<webdav::Options> webdav_options(const WebdavJob& job) {
  webdav::Options door;
  auto at = parse_endpoint(job.at);
  if (!at) return at.problem();
  door.at = *at;
  door.hosts = job.hosts;
  auto uids = uids_of(job.allow_uids);
  if (!uids) return uids.problem();
  door.allow_uids = std::move(*uids);
  door.read_only = job.read_only;
  door.umask = own_umask();
  if (!job.tls.empty()) {
    const size_t comma = job.tls.find(',');
    if (comma == std::string::npos)
      return Problem{err(EINVAL), fmt::format("--tls {}: two files are wanted", job.tls), "--tls CERT.pem,KEY.pem"};
    auto tls = webdav::TlsServer::make(job.tls.substr(0, comma), job.tls.substr(comma + 1));
    if (!tls) return tls.problem();
    door.tls = std::move(*tls);
  }
  if (!job.no_secret) door.secret = random_secret();
  if (job.auth == "none") return door;
  door.auth = job.auth == "digest" ? webdav::Options::Auth::digest : webdav::Options::Auth::basic;
  door.user = job.user.empty() ? "isthmus" : job.user;
  auto password = password_of(job.password_file);
  if (!password) return password.problem();
  door.password = std::move(*password);
  if (job.password_file.empty()) fmt::print("User {}, password {}\n", door.user, door.password);
  return door;
}

}  // namespace isthmus::ctl
