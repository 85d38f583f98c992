#include "doors/fuse/mount_table.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "base/fd.h"
#include "base/text.h"

namespace isthmus::fuse {
namespace {

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); i++) {
    if (s[i] == '\\' && i + 3 < s.size()) {
      out += static_cast<char>((s[i + 1] - '0') * 64 + (s[i + 2] - '0') * 8 + (s[i + 3] - '0'));
      i += 3;
    } else {
      out += s[i];
    }
  }
  return out;
}

std::string_view next_word(std::string_view& line) {
  size_t space = std::min(line.find(' '), line.size());
  auto word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

std::optional<MountEntry> parse_line(std::string_view line) {
  MountEntry e;
  auto id = parse_number(next_word(line), INT_MAX), parent = parse_number(next_word(line), INT_MAX);
  auto device = next_word(line);
  size_t colon = device.find(':');
  if (!id || !parent || colon == std::string_view::npos) return std::nullopt;
  auto dev_major = parse_number(device.substr(0, colon), UINT32_MAX);
  auto dev_minor = parse_number(device.substr(colon + 1), UINT32_MAX);
  if (!dev_major || !dev_minor) return std::nullopt;
  next_word(line);  // root within the file system
  e.path = unescape(next_word(line));
  next_word(line);  // per-mount options
  while (!line.empty() && next_word(line) != "-") {
  }
  e.type = unescape(next_word(line));
  e.source = unescape(next_word(line));
  if (e.path.empty() || e.type.empty()) return std::nullopt;
  e.id = static_cast<int>(*id);
  e.parent = static_cast<int>(*parent);
  e.major = static_cast<uint32_t>(*dev_major);
  e.minor = static_cast<uint32_t>(*dev_minor);
  return e;
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> all;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    if (auto e = parse_line(text.substr(0, end))) all.push_back(std::move(*e));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

std::vector<MountEntry> mount_table() {
  Fd fd(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  std::string text;
  char block[16384];
  for (ssize_t n; (n = read(fd.get(), block, sizeof block)) > 0;) text.append(block, static_cast<size_t>(n));
  return parse_mountinfo(text);
}

std::optional<MountEntry> mount_by_id(int id) {
  for (auto& e : mount_table())
    if (e.id == id) return e;
  return std::nullopt;
}

std::optional<MountEntry> mount_at(std::string_view path) {
  std::optional<MountEntry> top;
  for (auto& e : mount_table())
    if (e.path == path) top = e;
  return top;
}

std::string absolute_mountpoint(const std::string& path) {
  std::string p = path;
  while (p.size() > 1 && p.back() == '/') p.pop_back();
  size_t slash = p.rfind('/');
  std::string name = slash == std::string::npos ? p : p.substr(slash + 1);
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : p.substr(0, slash);
  bool whole = name.empty() || name == "." || name == "..";
  std::unique_ptr<char, decltype(&free)> real(realpath(whole ? p.c_str() : folder.c_str(), nullptr), &free);
  if (!real) return {};
  std::string result(real.get());
  if (whole) return result;
  if (result.back() != '/') result += '/';
  return result + name;
}

std::string mounted_path(const std::string& path) {
  std::string absolute = absolute_mountpoint(path);
  if (absolute.empty() || mount_at(absolute)) return absolute;
  std::unique_ptr<char, decltype(&free)> real(realpath(absolute.c_str(), nullptr), &free);
  return real ? std::string(real.get()) : absolute;
}

Probe probe(const std::string& path, int limit_ms) {
  Probe result;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return result;
  Fd in(ends[0]), out(ends[1]);
  const char* name = path.c_str();
  // Two forks: the one that may hang is nobody's child, so that it leaves no zombie and nobody waits for it.
  pid_t pid = fork();
  if (pid < 0) return result;
  if (pid == 0) {
    if (fork() != 0) _exit(0);
    // It may be left behind, and then no signal of the terminal shall make it act for its parent.
    for (int s : {SIGTERM, SIGHUP, SIGINT}) signal(s, SIG_IGN);
    // A child that hangs must not hold a pipe of ours open, for whose end somebody may wait.
    unsigned keep = static_cast<unsigned>(ends[1]);
    if (keep > 0) close_range(0, keep - 1, 0);
    close_range(keep + 1, ~0U, 0);
    struct statx sx {};
    Probe p{.answered = true};
    // The kernel may hold attributes that outlive the server: only a forced question reaches it.
    if (statx(AT_FDCWD, name, AT_STATX_FORCE_SYNC, STATX_TYPE, &sx) < 0) {
      p.error = errno;
    } else {
      p.mode = sx.stx_mode;
      p.dev_major = sx.stx_dev_major;
      p.dev_minor = sx.stx_dev_minor;
    }
    [[maybe_unused]] ssize_t n = write(ends[1], &p, sizeof p);
    _exit(0);
  }
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  out.reset();
  pollfd poll_in{.fd = in.get(), .events = POLLIN, .revents = 0};
  while (poll(&poll_in, 1, limit_ms) < 0 && errno == EINTR) {
  }
  Probe p;
  if ((poll_in.revents & POLLIN) && read(in.get(), &p, sizeof p) == static_cast<ssize_t>(sizeof p)) return p;
  return result;
}

}  // namespace isthmus::fuse
