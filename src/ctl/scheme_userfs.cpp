#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "ctl/addon.h"
#include "ctl/child.h"
#include "ctl/program_file.h"
#include "ctl/schemes.h"
#include "providers/userfs_host/userfs_host.h"

namespace isthmus::ctl {
namespace {

using userfs_host::Peer;
using userfs_host::UserfsHost;

constexpr int kConnectMs = 30'000;

#define ISTHMUS_COMMON_OPTIONS                                                             \
  {"timeout=SECONDS", "how long one answer may take; default: as long as it likes"},       \
      {"mount_timeout=SECONDS", "the same of the mount; default 30"},                      \
      {"restart", "when it has ended, begin again; open files go on if its handles last"}, \
      {"mount=TEXT", "options, told to it"}, {                                             \
    "ro", "tell it that nothing will be changed, and refuse to"                            \
  }
constexpr OptionHelp kOptions[] = {ISTHMUS_COMMON_OPTIONS};
constexpr OptionHelp kSshOptions[] = {
    ISTHMUS_COMMON_OPTIONS, {"ssh=COMMAND", "the command that goes to the host, split at blanks; default: ssh"}};
#undef ISTHMUS_COMMON_OPTIONS

/// Options of the source into those of the host; `ssh` gets the value of that name.
Expected<Unit> parse_options(const Source& source, userfs_host::Options& options, std::string* ssh) {
  for (auto& [key, value] : own_options(source)) {
    const auto seconds = parse_seconds(value);
    if (key == "timeout" && seconds)
      options.timeout_ms = *seconds;
    else if (key == "mount_timeout" && seconds && *seconds > 0)
      options.mount_timeout_ms = *seconds;
    else if (key == "restart" && value.empty())
      options.restart = true;
    else if (key == "ro" && value.empty())
      options.read_only = true;
    else if (key == "mount")
      options.mount_options = value;
    else if (key == "ssh" && ssh && !value.empty())
      *ssh = value;
    else if (key == "timeout" || key == "mount_timeout")
      return bad_option(source, key + ": '" + value + "' is no number of seconds");
    else
      return bad_option(source, "no option '" + key + (value.empty() ? "'" : "=" + value + "'"));
  }
  return Unit{};
}

Expected<std::unique_ptr<FileSystem>> connect(userfs_host::Options options, const SourceHooks& hooks) {
  auto host = UserfsHost::connect(std::move(options), hooks.cancelled);
  if (!host) return host.problem();
  return std::unique_ptr<FileSystem>(std::move(*host));
}

Expected<std::unique_ptr<FileSystem>> connect_program(userfs_host::Options options,
                                                      const std::vector<std::string>& words, bool own_group,
                                                      const SourceHooks& hooks) {
  auto file = resolve_program(words[0]);
  if (!file) return file.problem();
  // For a restart: the server stands in "/" by then.
  auto folder = std::make_shared<Fd>(options.restart ? open(".", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1);
  if (options.name.empty()) options.name = words[0];
  options.open = [words, own_group, file = *file, folder]() -> Expected<Peer> {
    Child::Job job;
    job.file = file;
    job.words = words;
    job.folder = folder->get();
    job.own_group = own_group;
    auto started = Child::start(job);
    if (!started) return started.problem();
    Peer peer;
    peer.in = std::move(started->in);
    peer.out = std::move(started->out);
    peer.started = [child = started->child] { child->follow(); };
    peer.keep = std::move(started->child);
    return peer;
  };
  return connect(std::move(options), hooks);
}

Expected<std::unique_ptr<FileSystem>> make_program(const Source& source, const SourceHooks& hooks) {
  userfs_host::Options options;
  if (auto parsed = parse_options(source, options, nullptr); !parsed) return parsed.problem();
  const auto words = split_arguments(source.path);
  if (words.empty()) return Problem{err(EINVAL), "source 'userfs:' lacks a program", "userfs:PROGRAM ARGUMENT..."};
  return connect_program(std::move(options), words, true, hooks);
}

Expected<std::unique_ptr<FileSystem>> make_ssh(const Source& source, const SourceHooks& hooks) {
  userfs_host::Options options;
  std::string ssh = "ssh";
  if (auto parsed = parse_options(source, options, &ssh); !parsed) return parsed.problem();
  const size_t blank = source.path.find(' ');
  const std::string host = source.path.substr(0, blank);
  const std::string command = blank == std::string::npos ? "" : source.path.substr(blank + 1);
  auto words = split_arguments(ssh);
  if (host.empty() || host[0] == '-' || command.empty() || words.empty())
    return Problem{err(EINVAL), "source '" + source.label() + "' lacks a host and a command",
                   "userfs+ssh:HOST isthmus serve FOLDER --userfs -"};
  // No terminal, no forwarding, no escapes: the bytes go as they are.
  for (const char* w : {"-T", "-x", "-a", "-e", "none", "--"}) words.emplace_back(w);
  words.push_back(host);
  words.push_back(command);
  options.name = host;
  return connect_program(std::move(options), words, false, hooks);
}

Expected<std::unique_ptr<FileSystem>> make_fd(const Source& source, const SourceHooks& hooks) {
  userfs_host::Options options;
  if (auto parsed = parse_options(source, options, nullptr); !parsed) return parsed.problem();
  if (options.restart) return bad_option(source, "descriptors cannot be opened again: no restart");
  const size_t comma = source.path.find(',');
  const auto in = parse_number(source.path.substr(0, comma), INT32_MAX);
  const auto out = comma == std::string::npos ? in : parse_number(source.path.substr(comma + 1), INT32_MAX);
  if (!in || !out)
    return Problem{err(EINVAL), "source '" + source.label() + "' names no two descriptors",
                   "userfs+fd:READ,WRITE, for instance userfs+fd:3,4"};
  for (auto fd : {*in, *out})
    if (fcntl(static_cast<int>(fd), F_GETFD) < 0)
      return Problem{err(EBADF), fmt::format("descriptor {} is not open", fd), ""};
  options.name = "fd:" + source.path;
  options.open = [in = static_cast<int>(*in), out = static_cast<int>(*out)]() -> Expected<Peer> {
    Peer peer{Fd(fcntl(in, F_DUPFD_CLOEXEC, 3)), Fd(fcntl(out, F_DUPFD_CLOEXEC, 3))};
    // They are ours from now on, but for the standard ones. The numbers stay taken: a server that goes to the
    // background closes what it came with, by number.
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int fd : {in, out})
      if (null && fd > STDERR_FILENO) dup3(null.get(), fd, O_CLOEXEC);
    if (!peer.in || !peer.out) return Problem{last_errno(), "descriptors: " + std::string(text_of(last_errno())), ""};
    return peer;
  };
  return connect(std::move(options), hooks);
}

Expected<Peer> peer_of(Fd socket) {
  Fd out(fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
  if (!out) return Problem{last_errno(), "descriptors: " + std::string(text_of(last_errno())), ""};
  return Peer{std::move(socket), std::move(out)};
}

Expected<std::unique_ptr<FileSystem>> make_unix(const Source& source, const SourceHooks& hooks) {
  userfs_host::Options options;
  if (auto parsed = parse_options(source, options, nullptr); !parsed) return parsed.problem();
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (source.path.empty() || source.path.size() >= sizeof to.sun_path)
    return Problem{err(EINVAL), "source '" + source.label() + "' names no socket", "userfs+unix:PATH"};
  // The server stands in "/" when it connects again.
  const std::string path = source.path[0] == '/' ? source.path : std::filesystem::absolute(source.path).string();
  if (path.size() >= sizeof to.sun_path)
    return Problem{err(ENAMETOOLONG), "'" + path + "' is too long for a socket", ""};
  memcpy(to.sun_path, path.data(), path.size());
  options.name = "unix:" + path;
  options.open = [to, path]() -> Expected<Peer> {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
      return Problem{last_errno(), path + ": " + std::string(text_of(last_errno())),
                     "is there a program that listens?"};
    return peer_of(std::move(socket));
  };
  return connect(std::move(options), hooks);
}

/// The first address that answers.
Expected<Peer> connect_tcp(const std::string& host, const std::string& port) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int e = getaddrinfo(host.c_str(), port.c_str(), &hints, &list))
    return Problem{err(EHOSTUNREACH), host + ": " + gai_strerror(e), ""};
  Errno last = err(EHOSTUNREACH);
  Fd socket;
  for (const addrinfo* a = list; a && !socket; a = a->ai_next) {
    Fd tried(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!tried) continue;
    int e = ::connect(tried.get(), a->ai_addr, a->ai_addrlen) < 0 ? errno : 0;
    if (e == EINPROGRESS) {
      pollfd p{tried.get(), POLLOUT, 0};
      socklen_t size = sizeof e;
      if (poll(&p, 1, kConnectMs) == 1)
        getsockopt(tried.get(), SOL_SOCKET, SO_ERROR, &e, &size);
      else
        e = ETIMEDOUT;
    }
    if (e == 0)
      socket = std::move(tried);
    else
      last = err(e);
  }
  freeaddrinfo(list);
  if (!socket)
    return Problem{last, fmt::format("{} port {}: {}", host, port, text_of(last)), "is there a program that listens?"};
  int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  return peer_of(std::move(socket));
}

Expected<std::unique_ptr<FileSystem>> make_tcp(const Source& source, const SourceHooks& hooks) {
  userfs_host::Options options;
  if (auto parsed = parse_options(source, options, nullptr); !parsed) return parsed.problem();
  const size_t colon = source.path.rfind(':');
  std::string host = source.path.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string port = colon == std::string::npos ? "" : source.path.substr(colon + 1);
  if (host.empty() || port.empty())
    return Problem{err(EINVAL), "source '" + source.label() + "' lacks a port", "userfs+tcp:HOST:PORT"};
  options.name = "tcp:" + source.path;
  options.open = [host, port] { return connect_tcp(host, port); };
  return connect(std::move(options), hooks);
}

Scheme scheme(std::string_view name, std::string_view help, std::span<const OptionHelp> options,
              Expected<std::unique_ptr<FileSystem>> (*make)(const Source&, const SourceHooks&)) {
  return {name, false, help, options, make, true};
}

}  // namespace

const Scheme kUserfsScheme =
    scheme("userfs",
           "a program that answers userfs packets, and its arguments, split at blanks; a backslash keeps the blank "
           "behind it. Options of all userfs sources by -s",
           kOptions, make_program);
const Scheme kUserfsFdScheme =
    scheme("userfs+fd", "the same of whoever is at two open descriptors: READ,WRITE", kOptions, make_fd);
const Scheme kUserfsUnixScheme = scheme("userfs+unix", "the same behind a Unix socket: PATH", kOptions, make_unix);
const Scheme kUserfsTcpScheme =
    scheme("userfs+tcp", "the same at HOST:PORT, without any protection on the way", kOptions, make_tcp);
const Scheme kUserfsSshScheme =
    scheme("userfs+ssh", "the same on another host: HOST COMMAND, for instance isthmus serve FOLDER --userfs -",
           kSshOptions, make_ssh);

}  // namespace isthmus::ctl
