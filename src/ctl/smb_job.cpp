#include "ctl/smb_job.h"

#include <fmt/format.h>

#include "ctl/door_job.h"

namespace isthmus::ctl {
namespace {

/// What a share may be called without quotes on any system.
bool is_share_name(const std::string& name) {
  constexpr std::string_view kOther = "-_.";
  if (name.empty() || name.size() > 80) return false;
  for (const char c : name)
    if (!isalnum(static_cast<unsigned char>(c)) && kOther.find(c) == std::string_view::npos) return false;
  return true;
}

}  // namespace

Expected<smb::Options> smb_options(const SmbJob& job) {
  smb::Options door;
  auto at = parse_endpoint(job.at);
  if (!at) return at.problem();
  door.at = *at;
  if (!job.share.empty()) door.share = job.share;
  if (!is_share_name(door.share))
    return Problem{err(EINVAL), fmt::format("--share: '{}' cannot be the name of a share", door.share),
                   "letters, digits, '-', '_' and '.' only"};
  door.user = job.user.empty() ? "isthmus" : job.user;
  auto password = password_of(job.password_file);
  if (!password) return password.problem();
  door.password = std::move(*password);
  auto uids = uids_of(job.allow_uids);
  if (!uids) return uids.problem();
  door.allow_uids = std::move(*uids);
  auto identities = windows::Identities::make(windows::SidStyle::unix_ids, job.uidmap);
  if (!identities) return identities.problem();
  door.identities = std::move(*identities);
  using Encrypt = smb::Options::Encrypt;
  door.encrypt = job.encrypt == "off" ? Encrypt::off : job.encrypt == "required" ? Encrypt::required : Encrypt::offered;
  door.must_sign = job.signing == "required";
  door.read_only = job.read_only;
  door.case_sensitive = job.case_sensitive;
  door.hide_dot_files = !job.show_dot_files;
  door.umask = own_umask();
  return door;
}

std::string smb_instructions(const smb::SmbDoor& door, bool password) {
  const Endpoint at = door.endpoint();
  const smb::Options& o = door.options();
  const bool six = at.address.find(':') != std::string::npos;
  const std::string url = fmt::format("{}{}{}", six ? "[" : "", at.address, six ? "]" : "");
  std::string text = fmt::format("SMB at smb://{}:{}/{}\n", url, at.port, o.share);
  text += password ? fmt::format("  User {}, password {}\n", o.user, o.password) : fmt::format("  User {}\n", o.user);
  // Each of them asks for the password, so that no list of processes shows it.
  text += fmt::format("  {:<9}mount -t cifs //{}/{} MOUNTPOINT -o port={},user={}\n", "Linux", at.address, o.share,
                      at.port, o.user);
  text += fmt::format("  {:<9}mkdir -p MOUNTPOINT && mount_smbfs //{}@{}:{}/{} MOUNTPOINT\n", "macOS", o.user, url,
                      at.port, o.share);
  text += fmt::format("  {:<9}net use X: \\\\{}\\{} * /user:{} /TCPPORT:{}    (Windows 11 24H2, Server 2025)\n",
                      "Windows", at.address, o.share, o.user, at.port);
  text += fmt::format("  {:<9}smbclient //{}/{} -p {} -U {}\n", "any", at.address, o.share, at.port, o.user);
  return text;
}

}  // namespace isthmus::ctl
