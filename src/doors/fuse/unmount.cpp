#include "doors/fuse/unmount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "doors/fuse/mount_helper.h"

namespace isthmus::fuse {
namespace {

std::string quote(const std::string& path) { return "'" + path + "'"; }

Problem busy(const std::string& path, const MountEntry& m) {
  constexpr size_t kShown = 8;
  Problem p{err(EBUSY), "cannot unmount " + quote(path) + ": it is in use", ""};
  auto users = users_of(m);
  for (size_t i = 0; i < std::min(users.size(), kShown); i++)
    p.what += "\n  by " + users[i].name + " (process " + std::to_string(users[i].pid) + "): " + users[i].by;
  if (users.size() > kShown) p.what += "\n  and " + std::to_string(users.size() - kShown) + " more";
  if (users.empty())
    p.what += geteuid() == 0 ? "\n  by another mount below it, or by a process in another namespace"
                             : "\n  by a process that only root may look at";
  p.hint = "end these, or take it away when the last one leaves: isthmus unmount --lazy " + path;
  return p;
}

Status by_helper(const MountEntry& m, UnmountHow how) {
  std::string helper = find_helper();
  if (helper.empty()) return err(EPERM);
  std::vector<std::string> arguments{helper, "-u"};
  if (how != UnmountHow::plain) arguments.emplace_back("-z");
  arguments.insert(arguments.end(), {"--", m.path});
  HelperRun run = run_helper(arguments);
  if (run.status == 0) return Unit{};
  if (run.output.find("busy") != std::string::npos) return err(EBUSY);
  return err(EPERM);
}

}  // namespace

Status abort_connection(uint32_t connection) {
  if (connection == 0) return err(ENOENT);
  std::string file = "/sys/fs/fuse/connections/" + std::to_string(connection) + "/abort";
  Fd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), "1", 1) < 0) return last_errno();
  return Unit{};
}

Status unmount_entry(const MountEntry& m, UnmountHow how) {
  if (how == UnmountHow::force && m.is_fuse()) static_cast<void>(abort_connection(m.minor));
  int flags =
      UMOUNT_NOFOLLOW | (how == UnmountHow::plain ? 0 : MNT_DETACH) | (how == UnmountHow::force ? MNT_FORCE : 0);
  if (may_mount()) {
    Status done = check(umount2(m.path.c_str(), flags));
    if (done || done.error() != err(EPERM)) return done;
  }
  return by_helper(m, how);
}

Expected<Unit> unmount(const std::string& given, UnmountHow how, std::string_view also) {
  std::string path = mounted_path(given);
  if (path.empty())
    return Problem{err(ENOENT), "cannot unmount " + quote(given) + ": its folder does not exist",
                   "`isthmus list` shows what is mounted"};
  auto m = mount_at(path);
  if (!m)
    return Problem{err(EINVAL), "cannot unmount " + quote(given) + ": nothing is mounted there",
                   "`isthmus list` shows what is mounted"};
  if (!m->is_fuse() && m->type != also)
    return Problem{err(EINVAL),
                   "will not unmount " + quote(given) + ": it is a mount of type " + m->type + ", not FUSE",
                   "umount " + path};
  Status done = unmount_entry(*m, how);
  if (done) return Unit{};
  if (done.error() == err(EBUSY)) return busy(path, *m);
  std::string hint;
  if (done.error() == err(EPERM) || done.error() == err(EACCES))
    hint = geteuid() == 0          ? "`isthmus doctor` shows what this machine allows"
           : find_helper().empty() ? "as root: apt-get install fuse3"
                                   : "only the user who mounted it, or root, may unmount it";
  return Problem{done.error(), "cannot unmount " + quote(path) + ": " + std::string(text_of(done.error())), hint};
}

}  // namespace isthmus::fuse
