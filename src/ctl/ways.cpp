#include "ctl/ways.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/fd.h"
#include "ctl/client.h"
#include "ctl/doctor_checks.h"
#include "doors/fuse/mount.h"

namespace isthmus::ctl {
namespace {

WayHere no(WayHere w, std::string why, std::string fix = {}) {
  w.detail = std::move(why);
  w.fix = std::move(fix);
  return w;
}

WayHere fuse_here(WayHere w) {
  std::vector<Finding> findings;
  check_mounting(findings);
  auto lacks =
      std::find_if(findings.begin(), findings.end(), [](auto& f) { return f.essential && f.answer == Answer::no; });
  if (lacks != findings.end()) return no(w, "it is not so that " + lacks->title, lacks->fix);
  w.offered = true;
  w.detail = "the kernel's FUSE driver";
  return w;
}

WayHere cifs_here(WayHere w) {
  if (!fuse::may_mount()) return no(w, "only root may mount so");
  if (!has_module("cifs")) return no(w, std::string(kNoCifs));
  w.offered = true;
  w.detail = "the kernel's client of SMB";
  return w;
}

WayHere davfs_here(WayHere w) {
  const std::string program = find_program("mount.davfs");
  if (program.empty()) return no(w, "mount.davfs is absent", "apt-get install davfs2 (as root)");
  if (!fuse::may_mount()) return no(w, "only root may mount so");
  Fd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));  // it is a FUSE program itself
  if (!device) return no(w, "/dev/fuse cannot be opened", "modprobe fuse (as root)");
  if (auto user = davfs_user(); !user) return no(w, user.problem().what);
  w.offered = true;
  w.detail = program;
  return w;
}

WayHere gio_here(WayHere w) {
  const std::string program = find_program("gio");
  if (program.empty())
    return no(w, "gio is absent", "apt-get install libglib2.0-bin gvfs-backends gvfs-fuse (as root)");
  constexpr std::array kBackends{"/usr/libexec/gvfsd-dav", "/usr/lib/gvfs/gvfsd-dav", "/usr/lib/gvfsd-dav"};
  if (std::none_of(kBackends.begin(), kBackends.end(), [](auto path) { return access(path, X_OK) == 0; }))
    return no(w, "gvfs has no WebDAV", "apt-get install gvfs-backends gvfs-fuse (as root)");
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  if (!getenv("DBUS_SESSION_BUS_ADDRESS") && (!runtime || access((std::string(runtime) + "/bus").c_str(), F_OK) < 0))
    return no(w, "there is no session bus here", "dbus-run-session COMMAND makes one");
  w.offered = true;
  w.detail = program;
  return w;
}

struct Kind {
  Way way;
  std::string_view name, door;  // door: as --via names it, too
  WayHere (*look)(WayHere);
};
// SMB before WebDAV: its client is a part of the kernel, reads and writes where others fetch and send whole files, and
// hears of what other doors change.
constexpr Kind kKinds[] = {{Way::fuse, "fuse", "", fuse_here},
                           {Way::cifs, "cifs", "smb", cifs_here},
                           {Way::davfs2, "davfs2", "webdav", davfs_here},
                           {Way::gio, "gio", "webdav", gio_here}};

// {0}: the URL; {1}: without its scheme; {2}: "s" under TLS.
struct Command {
  std::string_view system, text;
};
constexpr Command kCommands[] = {{"Linux", "gio mount dav{2}{1}"},
                                 {"", "mount -t davfs {0} MOUNTPOINT      (root; package davfs2)"},
                                 {"macOS", "mkdir -p MOUNTPOINT && mount_webdav -S {0} MOUNTPOINT"},
                                 {"Windows", "net use * {0} /persistent:no"}};

}  // namespace

std::vector<WayHere> ways_here() {
  std::vector<WayHere> all;
  for (auto& k : kKinds) all.push_back(k.look({.way = k.way, .name = k.name, .door = k.door, .detail = {}, .fix = {}}));
  return all;
}

std::vector<std::string> via_names() {
  std::vector<std::string> names{"auto", "smb", "webdav"};
  for (auto& k : kKinds) names.emplace_back(k.name);
  return names;
}

Expected<WayHere> choose_way(std::string_view via) {
  Problem lacking{err(EOPNOTSUPP), fmt::format("--via {}: this machine does not offer it", via), {}};
  for (auto& w : ways_here()) {
    if (via != "auto" && via != w.name && via != w.door) continue;
    if (w.offered) return w;
    lacking.what += fmt::format("\n  {}: {}", w.name, w.detail);
    if (!w.fix.empty()) lacking.what += fmt::format("\n    to change it: {}", w.fix);
  }
  return lacking;
}

void check_ways(std::vector<Finding>& to) {
  for (auto& w : ways_here()) {
    Finding f{.id = fmt::format("via_{}", w.name), .title = fmt::format("mount --via {}", w.name), .detail = w.detail};
    f.answer = w.offered ? Answer::yes : Answer::info;
    f.fix = w.fix;
    to.push_back(std::move(f));
  }
}

std::string client_commands(const std::string& url) {
  std::string lines;
  for (auto& c : kCommands)
    lines += fmt::format(
        "  {:<8} {}\n", c.system,
        fmt::format(fmt::runtime(c.text), url, url.substr(url.find(':')), url.starts_with("https") ? "s" : ""));
  return lines;
}

}  // namespace isthmus::ctl
