#include "providers/fuse_daemon/fusermount.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "providers/fuse_daemon/message.h"

namespace isthmus::fuse_daemon {
namespace {

constexpr const char* kNames[] = {"fusermount", "fusermount3"};
constexpr const char* kSocket = "/fusermount.socket";

/// The first byte of a message.
constexpr struct {
  char letter;
  FusermountWords::Wish wish;
} kLetters[] = {{'m', FusermountWords::Wish::mount},         {'u', FusermountWords::Wish::unmount},
                {'o', FusermountWords::Wish::open_fuse},     {'c', FusermountWords::Wish::open_cuse},
                {'t', FusermountWords::Wish::open_terminal}, {'k', FusermountWords::Wish::mount_own}};

Result<sockaddr_un> address(const std::string& folder) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  const std::string path = folder + kSocket;
  if (path.size() >= sizeof a.sun_path) return err(ENAMETOOLONG);
  memcpy(a.sun_path, path.data(), path.size());
  return a;
}

/// The daemon's socket for the device: --comm-fd or _FUSE_COMMFD.
int daemons_socket(const FusermountWords& words) {
  const char* given = getenv("_FUSE_COMMFD");
  if (words.answer_to >= 0 || !given) return words.answer_to;
  return static_cast<int>(parse_number(given, INT_MAX).value_or(-1));
}

std::string absolute(const std::string& path) {
  char folder[PATH_MAX];
  if (path.starts_with('/') || !getcwd(folder, sizeof folder)) return path;
  return path == "." ? folder : std::string(folder) + "/" + path;
}

}  // namespace

bool is_fusermount(std::string_view name) {
  name.remove_prefix(name.rfind('/') + 1);
  return name == kNames[0] || name == kNames[1];
}

Result<FusermountWords> parse_fusermount(const std::vector<std::string>& arguments) {
  using Wish = FusermountWords::Wish;
  FusermountWords w;
  std::vector<std::string> places;
  bool only_places = false;
  for (size_t i = 0; i < arguments.size(); i++) {
    std::string_view word = arguments[i];
    if (only_places || !word.starts_with('-') || word.size() < 2) {
      places.emplace_back(word);
      continue;
    }
    if (word == "--") {
      only_places = true;
      continue;
    }
    const auto value_of = [&](std::string_view name) -> std::optional<std::string> {
      if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=')
        return std::string(word.substr(name.size() + 1));
      if (word == name && i + 1 < arguments.size()) return arguments[++i];
      return std::nullopt;
    };
    if (word.starts_with("--")) {
      if (auto fd = value_of("--comm-fd"))
        w.answer_to = static_cast<int>(parse_number(*fd, INT_MAX).value_or(-1));
      else if (word == "--version")
        w.wish = Wish::version;
      else if (word == "--help")
        w.wish = Wish::help;
      else if (word == "--unmount")
        w.wish = Wish::unmount;
      else if (word == "--quiet")
        w.quiet = true;
      else if (word != "--lazy" && word != "--auto-unmount" && word != "--sync-init")
        return err(EINVAL);
      continue;
    }
    // Letters may stand together; -o takes the rest of its word, or the next.
    for (word.remove_prefix(1); !word.empty(); word.remove_prefix(1)) {
      const char letter = word.front();
      if (letter == 'o') {
        std::string value(word.substr(1));
        if (value.empty() && ++i < arguments.size()) value = arguments[i];
        w.options += (w.options.empty() ? "" : ",") + value;
        break;
      }
      if (letter == 'u') w.wish = Wish::unmount;
      if (letter == 'V') w.wish = Wish::version;
      if (letter == 'h') w.wish = Wish::help;
      if (letter == 'q') w.quiet = true;
      if (!strchr("uVhqz", letter)) return err(EINVAL);
    }
  }
  if (w.wish == Wish::version || w.wish == Wish::help) return w;
  if (places.size() != 1) return err(EINVAL);
  w.target = places[0];
  return w;
}

int fusermount_main(const std::string& path, const std::vector<std::string>& arguments) {
  using Wish = FusermountWords::Wish;
  const std::string name = path.substr(path.rfind('/') + 1);
  auto words = parse_fusermount(arguments);
  const auto fail = [&](const std::string& why) {
    if (!words || !words->quiet) fmt::print(stderr, "{}: {}\n", name, why);
    return 1;
  };
  if (!words) return fail("wrong arguments");
  if (words->wish == Wish::version) {
    // Daemons look whether it is 3.
    fmt::print("{} version: 3.14.0 (isthmus)\n", name);
    return 0;
  }
  if (words->wish == Wish::help) {
    fmt::print("{} [-o OPTIONS] MOUNTPOINT | -u MOUNTPOINT: asks the host of this FUSE daemon\n", name);
    return 0;
  }
  auto at = address(path.substr(0, path.rfind('/')));
  if (!at) return fail(std::string(text_of(at.error())));
  Fd host(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!host || connect(host.get(), reinterpret_cast<sockaddr*>(&*at), sizeof *at) < 0)
    return fail(fmt::format("the daemon's host does not answer: {}", text_of(last_errno())));
  std::string message(1, words->wish == Wish::unmount ? 'u' : 'm');
  message += words->options + '\0' + absolute(words->target) + '\0';
  if (!send_message(host.get(), message, -1)) return fail("the daemon's host has gone");
  Message answer = receive_message(host.get());
  if (answer.text != "ok") return fail(answer.text.empty() ? "the daemon's host has gone" : answer.text);
  if (words->wish == Wish::unmount) return 0;
  const int to = daemons_socket(*words);
  // One with a byte: what receives it expects data.
  if (!answer.fd || to < 0 || !send_message(to, std::string_view("\0", 1), answer.fd.get()))
    return fail("there is nobody to hand the device to");
  return 0;
}

Expected<FusermountDoor> FusermountDoor::open(const std::string& folder, const std::string& program) {
  const auto failed = [&](Errno e) { return Problem{e, fmt::format("{}: {}", folder, text_of(e)), ""}; };
  for (auto name : kNames)
    if (symlink(program.c_str(), fmt::format("{}/{}", folder, name).c_str()) < 0) return failed(last_errno());
  auto at = address(folder);
  if (!at) return failed(at.error());
  Fd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener || bind(listener.get(), reinterpret_cast<sockaddr*>(&*at), sizeof *at) < 0 ||
      listen(listener.get(), 8) < 0)
    return failed(last_errno());
  return FusermountDoor(std::move(listener));
}

Result<FusermountDoor::Request> FusermountDoor::take() {
  Request r{Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)), {}, 0};
  if (!r.from) return last_errno();
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(r.from.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) r.process = peer.pid;
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  setsockopt(r.from.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const Message m = receive_message(r.from.get());
  const size_t middle = m.text.find('\0');
  if (middle == std::string::npos || middle == 0 || m.text.find('\0', middle + 1) != m.text.size() - 1)
    return err(EPROTO);
  const auto letter =
      std::find_if(std::begin(kLetters), std::end(kLetters), [&](auto& l) { return l.letter == m.text[0]; });
  if (letter == std::end(kLetters)) return err(EPROTO);
  r.words.wish = letter->wish;
  r.words.options = m.text.substr(1, middle - 1);
  r.words.target = m.text.substr(middle + 1, m.text.size() - middle - 2);
  return r;
}

void FusermountDoor::answer(const Request& to, int code, std::string_view text, int device) {
  const std::string number = fmt::format("{}", code);
  send_message(to.from.get(),
               code == 0                                           ? "ok"
               : to.words.wish >= FusermountWords::Wish::open_fuse ? number
                                                                   : text,
               device);
}

void FusermountDoor::remove(const std::string& folder) {
  for (auto name : kNames) unlink(fmt::format("{}/{}", folder, name).c_str());
  unlink((folder + kSocket).c_str());
}

}  // namespace isthmus::fuse_daemon
