#include "doors/fuse/mount_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "doors/fuse/mount_table.h"

extern char** environ;

namespace isthmus::fuse {
namespace {

/// fusermount3 takes a comma inside a value as "\,".
std::string escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// A child with stdin from /dev/null, stdout and stderr into `print`, and nothing else of ours but `pass`, which
/// becomes descriptor 3. -1 and errno when it cannot be started.
pid_t spawn(const std::vector<std::string>& arguments, int print, int pass) {
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);

  // The helper is setuid; it gets no environment of the user's but the language-free one it needs.
  std::string commfd = "_FUSE_COMMFD=3";
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* envp[] = {path, pass >= 0 ? commfd.data() : nullptr, nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, print, 1);
  posix_spawn_file_actions_adddup2(&actions, print, 2);
  if (pass >= 0) posix_spawn_file_actions_adddup2(&actions, pass, 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, pass >= 0 ? 4 : 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), envp);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  errno = error;
  return error ? -1 : pid;
}

/// Moves a descriptor to 10 or above, so that it is not one of those the child's are put onto.
Fd above_standard(Fd fd) {
  Fd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
  return moved;
}

int reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string drain(int fd) {
  constexpr size_t kMost = 4096;
  std::string text;
  char block[512];
  for (ssize_t n; (n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0 && text.size() < kMost) text.append(block, static_cast<size_t>(n));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// The descriptor that the helper sends along with one byte; none if it closes the socket instead.
Fd receive_device(int socket) {
  char byte = 0;
  iovec data{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  ssize_t n = 0;
  while ((n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (n <= 0) return {};
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
    return {};
  int fd = -1;
  memcpy(&fd, CMSG_DATA(c), sizeof fd);
  return Fd(fd);
}

Problem helper_failed(const std::string& path, const MountOptions& o, std::string said, int status) {
  if (said.empty()) said = "fusermount3 ended with status " + std::to_string(status);
  Problem p{err(EPERM), "cannot mount on '" + path + "': " + said, ""};
  if (o.allow_other && said.find("user_allow_other") != std::string::npos)
    p.hint = "as root: echo user_allow_other >> /etc/fuse.conf; or leave allow_other and allow_root out";
  else if (said.find("/dev/fuse: Permission denied") != std::string::npos)
    p.hint = "as root: chmod 666 /dev/fuse";
  else if (said.find("/dev/fuse") != std::string::npos || said.find("device not found") != std::string::npos)
    p.hint = "as root: modprobe fuse; `isthmus doctor` shows what this machine allows";
  else if (said.find("no write access") != std::string::npos || said.find("Permission denied") != std::string::npos)
    p.hint = "mount in a folder that you own, for example " + std::string("~/mnt");
  else if (said.find("too many") != std::string::npos)
    p.hint = "mount_max in /etc/fuse.conf is the limit";
  else if (said.find("Operation not permitted") != std::string::npos)
    p.hint = "fusermount3 must be setuid root: chmod u+s " + find_helper();
  return p;
}

}  // namespace

std::string find_helper() {
  for (const char* path : {"/usr/bin/fusermount3", "/bin/fusermount3", "/usr/local/bin/fusermount3",
                           "/run/wrappers/bin/fusermount3", "/usr/bin/fusermount", "/bin/fusermount"})
    if (access(path, X_OK) == 0) return path;
  return {};
}

std::string helper_options(const MountOptions& o, const std::string& source, const std::string& type) {
  std::string s = o.read_only ? "ro" : "rw";
  s += ",nosuid,nodev";
  if (o.noexec) s += ",noexec";
  if (o.noatime) s += ",noatime";
  if (o.sync) s += ",sync";
  if (o.dirsync) s += ",dirsync";
  if (o.default_permissions.value_or(true)) s += ",default_permissions";
  if (o.allow_other) s += ",allow_other";
  if (o.max_read) s += ",max_read=" + std::to_string(o.max_read);
  for (const auto& [key, value] : o.labels) s += "," + key + "=" + escaped(value);
  if (o.auto_unmount) s += ",auto_unmount";
  s += ",fsname=" + escaped(source);
  return type.empty() ? s : s + ",subtype=" + escaped(type);
}

HelperRun run_helper(const std::vector<std::string>& arguments) {
  HelperRun run;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return run;
  Fd in(ends[0]), out = above_standard(Fd(ends[1]));
  pid_t pid = spawn(arguments, out.get(), -1);
  out.reset();
  if (pid < 0) {
    run.output = std::string(text_of(last_errno()));
    return run;
  }
  run.output = drain(in.get());
  run.status = reap(pid);
  return run;
}

Expected<Mounted> mount_by_helper(const Mountpoint& point, const MountOptions& o, const std::string& source,
                                  const std::string& type) {
  std::string helper = find_helper();
  if (helper.empty())
    return Problem{err(ENOENT),
                   "cannot mount on '" + point.path + "': ordinary users need fusermount3, which is absent",
                   "as root: apt-get install fuse3"};
  int pair[2], ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return Problem{last_errno(), "socketpair", ""};
  Fd ours(pair[0]), theirs = above_standard(Fd(pair[1]));
  if (pipe2(ends, O_CLOEXEC) < 0) return Problem{last_errno(), "pipe", ""};
  Fd in(ends[0]), out = above_standard(Fd(ends[1]));
  pid_t pid = spawn({helper, "-o", helper_options(o, source, type), "--", point.path}, out.get(), theirs.get());
  if (pid < 0) return Problem{last_errno(), "cannot run " + helper + ": " + std::string(text_of(last_errno())), ""};
  theirs.reset();
  out.reset();

  Mounted m;
  m.device = receive_device(ours.get());
  if (!m.device) {
    ours.reset();
    std::string said = drain(in.get());
    return helper_failed(point.path, o, said, reap(pid));
  }
  if (o.auto_unmount)
    m.helper = std::move(ours);  // the helper lives on, unmounts at our end and is then collected by init
  else
    reap(pid);
  m.path = point.path;
  m.by = MountedBy::helper;
  if (auto entry = mount_at(m.path)) {
    m.id = entry->id;
    m.connection = entry->minor;
  }
  return m;
}

}  // namespace isthmus::fuse
