#include "control/host.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace isthmus::control {
namespace {

constexpr std::string_view kVersion = "isthmus-host 1";
constexpr size_t kMostHello = 16 << 10;
constexpr int kPatienceSeconds = 3;

Problem failed(const std::string& path) { return {last_errno(), path + ": " + std::string(text_of(last_errno())), ""}; }

Expected<sockaddr_un> address(const std::string& path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.size() >= sizeof a.sun_path) return Problem{err(ENAMETOOLONG), path + ": too long for a socket", ""};
  memcpy(a.sun_path, path.data(), path.size());
  return a;
}

/// Fields with a NUL behind each.
std::string to_text(const HostHello& h) {
  std::string text;
  for (std::string_view field : {kVersion, std::string_view(h.mountpoint), std::string_view(h.fsname),
                                 std::string_view(h.subtype), std::string_view(h.read_only ? "ro" : "rw")}) {
    text += field;
    text += '\0';
  }
  return text;
}

bool from_text(std::string_view text, HostHello& to) {
  std::vector<std::string> fields;
  for (size_t end; (end = text.find('\0')) != std::string_view::npos; text.remove_prefix(end + 1))
    fields.emplace_back(text.substr(0, end));
  if (fields.size() != 5 || fields[0] != kVersion) return false;
  to = {fields[1], fields[2], fields[3], fields[4] == "ro"};
  return true;
}

}  // namespace

Expected<Fd> connect_to_host(const std::string& path, const HostHello& hello) {
  auto to = address(path);
  if (!to) return to.problem();
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&*to), sizeof *to) < 0) return failed(path);
  const std::string text = to_text(hello);
  if (send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return failed(path);
  return fd;
}

Expected<Fd> listen_for_program(const std::string& path) {
  auto at = address(path);
  if (!at) return at.problem();
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&*at), sizeof *at) < 0 || listen(fd.get(), 1) < 0)
    return failed(path);
  return fd;
}

Expected<HostedDevice> accept_program(int listener) {
  HostedDevice d;
  d.device.reset(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!d.device) return failed("a program's connection");
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(d.device.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || (peer.uid != geteuid() && peer.uid != 0))
    return Problem{err(EPERM), "a program of another user wants to mount here", ""};
  timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
  setsockopt(d.device.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string text(kMostHello, '\0');
  const ssize_t n = recv(d.device.get(), text.data(), text.size(), 0);
  if (n <= 0 || !from_text(std::string_view(text).substr(0, static_cast<size_t>(n)), d.hello))
    return Problem{err(EPROTO), "a program's connection: it does not say what it mounts", ""};
  patience = {};
  setsockopt(d.device.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return d;
}

}  // namespace isthmus::control
