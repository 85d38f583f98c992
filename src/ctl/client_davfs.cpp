#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ctl/client.h"
#include "ctl/doctor_checks.h"
#include "doors/fuse/mount_table.h"

namespace isthmus::ctl {
namespace {

/// One word of davfs2's files.
std::string quoted(const std::string& word) {
  std::string out = "\"";
  for (char c : word) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// A file that only its owner may read, as mount.davfs wants it of secrets.
bool write_private(const std::string& path, const std::string& text) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  return fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

class Davfs final : public Client {
 public:
  explicit Davfs(const ClientJob& job) : job_(job), table_(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {}

  Expected<ClientMount> mount(const std::string& url) override {
    const std::string conf = job_.files + "/conf", secrets = job_.files + "/secrets";
    // What is written is uploaded when it is closed: davfs2 tells nobody when it cannot do so later.
    const std::string text =
        fmt::format("secrets {}\ncache_dir {}\nask_auth 0\ndelay_upload 0\nbuf_size 1100\ndir_refresh 1\n",
                    quoted(secrets), quoted(job_.files + "/cache"));
    if (!write_private(conf, text) ||
        !write_private(secrets, fmt::format("{} {} {}\n", quoted(url), quoted(job_.user), quoted(job_.password))))
      return Problem{last_errno(), fmt::format("cannot write in {}: {}", job_.files, text_of(last_errno())), ""};
    std::string options = fmt::format("conf={}", conf);
    options += job_.allow_other ? ",dir_mode=755,file_mode=644" : ",dir_mode=700,file_mode=600";
    if (job_.read_only) options += ",ro";
    if (job_.noexec) options += ",noexec";
    ClientProgram program = start_program({find_program("mount.davfs"), "-o", options, url, job_.mountpoint}, "", true);
    std::string said;
    const int status = finish_program(program, job_.limit_ms, said);
    // They have been read.
    unlink(conf.c_str());
    unlink(secrets.c_str());
    auto entry = fuse::mount_at(job_.mountpoint);
    if (entry && entry->source == url) mount_.id = entry->id;
    find_daemon();
    if (status != 0 || mount_.id < 0) {
      if (said.empty()) said = status < 0 ? "it did not end in time" : fmt::format("exit status {}", status);
      return Problem{err(EIO), fmt::format("cannot mount on '{}': {}", job_.mountpoint, said), ""};
    }
    mount_.folder = job_.mountpoint;
    return mount_;
  }

  void adopt(const ClientMount& mount) override {
    mount_ = mount;
    if (mount_.pid > 0) daemon_.reset(static_cast<int>(syscall(SYS_pidfd_open, mount_.pid, 0)));
  }

  pollfd watch() const override { return {table_.get(), POLLPRI, 0}; }

  bool mounted() override { return mount_.id >= 0 && fuse::mount_by_id(mount_.id).has_value(); }

  bool running() override {
    pollfd p{daemon_.get(), POLLIN, 0};
    const bool gone = !daemon_ || poll(&p, 1, 0) != 0;
    if (mount_.pid > 0) waitpid(mount_.pid, nullptr, WNOHANG);  // a child of the keeper only
    return !gone;
  }

  Status unmount(fuse::UnmountHow how) override {
    auto entry = fuse::mount_by_id(mount_.id);
    return entry ? fuse::unmount_entry(*entry, how) : Status(Unit{});
  }

  void clear() override {
    if (mounted()) static_cast<void>(unmount(fuse::UnmountHow::force));
    if (running()) {
      send_signal(SIGTERM);
      if (!ended_within(2000)) send_signal(SIGKILL);
      ended_within(2000);
    }
    remove_pid_file();
    std::error_code e;
    if (!job_.files.empty()) std::filesystem::remove_all(job_.files, e);
  }

 private:
  /// The keeper is the reaper of what mount.davfs leaves behind: its daemon.
  void find_daemon() {
    std::ifstream children(fmt::format("/proc/self/task/{}/children", gettid()));
    for (pid_t pid = 0; children >> pid;) mount_.pid = pid;
    adopt(ClientMount(mount_));
  }
  void send_signal(int signal) { syscall(SYS_pidfd_send_signal, daemon_.get(), signal, nullptr, 0); }
  bool ended_within(int ms) {
    constexpr int kPauseMs = 20;
    for (int waited = 0; waited < ms; waited += kPauseMs) {
      if (!running()) return true;
      poll(nullptr, 0, kPauseMs);
    }
    return false;
  }
  /// A daemon that is killed leaves it.
  void remove_pid_file() {
    if (mount_.pid <= 0 || job_.mountpoint.size() < 2) return;
    std::string name = job_.mountpoint.substr(1);
    std::replace(name.begin(), name.end(), '/', '-');
    const std::string path = "/run/mount.davfs/" + name + ".pid";
    if (first_line(path) == std::to_string(mount_.pid)) unlink(path.c_str());
  }

  const ClientJob job_;
  const Fd table_;
  ClientMount mount_;
  Fd daemon_;
};

}  // namespace

std::unique_ptr<Client> make_davfs(const ClientJob& job) { return std::make_unique<Davfs>(job); }

Expected<DavfsUser> davfs_user() {
  std::string user = "davfs2", group = "davfs2";
  std::ifstream conf("/etc/davfs2/davfs2.conf");
  for (std::string line; std::getline(conf, line);) {
    if (line.starts_with('[')) break;  // of one mount
    std::istringstream words(line);
    std::string key, value;
    if (!(words >> key >> value)) continue;
    if (key == "dav_user") user = value;
    if (key == "dav_group") group = value;
  }
  const passwd* u = getpwnam(user.c_str());
  const struct group* g = getgrnam(group.c_str());
  if (u && g) return DavfsUser{u->pw_uid, g->gr_gid};
  return Problem{err(ENOENT), fmt::format("there is no user {} and group {}, as whom mount.davfs runs", user, group),
                 "/etc/davfs2/davfs2.conf names them"};
}

Expected<ClientNeeds> prepare_client(Way way) {
  if (way != Way::davfs2) return ClientNeeds{};
  auto user = davfs_user();
  if (!user) return user.problem();
  // In a folder that only root may change. mount.davfs wants a cache that root has and its group may change.
  std::string files = "/var/cache/isthmus-XXXXXX";
  if (!mkdtemp(files.data()))
    return Problem{last_errno(), fmt::format("cannot make a folder in /var/cache: {}", text_of(last_errno())), ""};
  const std::string cache = files + "/cache";
  bool made = chown(files.c_str(), 0, user->gid) == 0 && chmod(files.c_str(), 0710) == 0 &&
              mkdir(cache.c_str(), 0700) == 0 && chown(cache.c_str(), 0, user->gid) == 0 &&
              chmod(cache.c_str(), 0770) == 0;
  if (made) return ClientNeeds{files, {user->uid}};
  Problem p{last_errno(), fmt::format("cannot prepare {}: {}", files, text_of(last_errno())), ""};
  std::error_code e;
  std::filesystem::remove_all(files, e);
  return p;
}

}  // namespace isthmus::ctl
