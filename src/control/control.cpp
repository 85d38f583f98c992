#include "control/control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/log.h"
#include "control/status_json.h"

namespace isthmus::control {
namespace {

constexpr std::string_view kRequest = "status\n";
constexpr int kPatienceMs = 3000;

/// Root of a user namespace is root without /run.
std::string folder_name() {
  // secure_getenv: a setuid caller's environment is not trusted.
  if (const char* own = secure_getenv("ISTHMUS_RUNTIME_DIR"); own && own[0] == '/') return own;
  if (geteuid() == 0 && access("/run", W_OK) == 0) return "/run/isthmus";
  if (const char* run = secure_getenv("XDG_RUNTIME_DIR"); run && run[0] == '/' && access(run, W_OK) == 0)
    return std::string(run) + "/isthmus";
  return "/tmp/isthmus-" + std::to_string(geteuid());
}

bool address(const std::string& path, sockaddr_un& to) {
  to = {};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return false;
  memcpy(to.sun_path, path.data(), path.size());
  return true;
}

bool peer_may_ask(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

void set_patience(int fd) {
  timeval t{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

}  // namespace

Expected<std::string> control_folder() {
  std::string folder = folder_name();
  if (mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST)
    return Problem{last_errno(), "cannot create " + folder + ": " + std::string(text_of(last_errno())), ""};
  struct stat st {};
  if (lstat(folder.c_str(), &st) < 0)
    return Problem{last_errno(), folder + ": " + std::string(text_of(last_errno())), ""};
  if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
    return Problem{err(EPERM), folder + " is not a folder of this user's alone", "remove it, or: chmod 700 " + folder};
  return folder;
}

Expected<std::unique_ptr<ControlServer>> ControlServer::start(std::function<Status()> status) {
  auto folder = control_folder();
  if (!folder) return folder.problem();
  // The number alone is not unique: another process namespace may share the folder.
  std::string path = *folder + "/" + std::to_string(getpid()) + "-" + std::to_string(monotonic_ns()) + ".sock";
  sockaddr_un at{};
  if (!address(path, at)) return Problem{err(ENAMETOOLONG), "the path of the control socket is too long: " + path, ""};
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  Fd stop(eventfd(0, EFD_CLOEXEC));
  auto failed = [&](const char* what) {
    return Problem{last_errno(), std::string(what) + " " + path + ": " + std::string(text_of(last_errno())), ""};
  };
  if (!listener || !stop) return failed("cannot create");
  // The folder keeps others out; the socket's own mode is set before anyone can connect.
  if (fchmod(listener.get(), 0600) < 0 || bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) < 0)
    return failed("cannot bind");
  if (chmod(path.c_str(), 0600) < 0 || listen(listener.get(), 8) < 0) {
    Problem p = failed("cannot listen on");
    unlink(path.c_str());
    return p;
  }
  return std::unique_ptr<ControlServer>(
      new ControlServer(std::move(path), std::move(listener), std::move(stop), std::move(status)));
}

ControlServer::ControlServer(std::string path, Fd listener, Fd stop, std::function<Status()> status)
    : path_(std::move(path)), listener_(std::move(listener)), stop_(std::move(stop)), status_(std::move(status)) {
  thread_ = std::thread([this] { run(); });
}

ControlServer::~ControlServer() {
  uint64_t one = 1;
  static_cast<void>(!write(stop_.get(), &one, sizeof one));
  thread_.join();
  unlink(path_.c_str());
}

void ControlServer::run() {
  for (;;) {
    pollfd fds[2] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                     {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[0].revents) return;
    if (fds[1].revents) answer(Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
}

void ControlServer::answer(Fd client) {
  if (!client) return;
  if (!peer_may_ask(client.get())) {
    log(LogLevel::warning, "control socket: another user was turned away");
    return;
  }
  set_patience(client.get());
  char request[64];
  ssize_t n = recv(client.get(), request, sizeof request, 0);
  if (n <= 0 || std::string_view(request, static_cast<size_t>(n)) != kRequest) return;
  std::string text = to_json(status_()) + "\n";
  static_cast<void>(send(client.get(), text.data(), text.size(), MSG_NOSIGNAL));
}

Expected<Status> ask_status(const std::string& socket_path, uint32_t owner) {
  auto failed = [&](Errno e) { return Problem{e, socket_path + ": " + std::string(text_of(e)), ""}; };
  sockaddr_un to{};
  if (!address(socket_path, to)) return failed(err(ENAMETOOLONG));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return failed(last_errno());
  set_patience(fd.get());
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) return failed(last_errno());
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != owner) return failed(err(EPERM));
  if (send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return failed(last_errno());
  constexpr size_t kMost = 1 << 20;
  std::string text;
  char block[4096];
  for (ssize_t n; (n = recv(fd.get(), block, sizeof block, 0)) != 0;) {
    if (n < 0) return failed(last_errno());
    text.append(block, static_cast<size_t>(n));
    if (text.size() > kMost) return failed(err(EMSGSIZE));
  }
  auto status = status_from_json(text);
  // The kernel's word on who answers goes before the answer's own.
  if (status) {
    if (peer.pid != 0) status->pid = peer.pid;  // 0: a process of another namespace
    status->uid = peer.uid;
  }
  return status;
}

}  // namespace isthmus::control
