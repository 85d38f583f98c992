#include "fs/curl/logins.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>

#include "base/fd.h"
#include "base/log.h"

namespace isthmus::fs::curl {
namespace {

using V = std::string_view;
constexpr off_t kMostNetrc = 1 << 20;

/// The next word, which may be quoted; empty with `end` set at the end.
struct Words {
  V text;
  bool next(std::string& word) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == V::npos) return false;
    text.remove_prefix(begin);
    word.clear();
    if (text[0] != '"') {
      const size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
      word = text.substr(0, end);
      text.remove_prefix(end);
      return true;
    }
    size_t at = 1;
    for (; at < text.size() && text[at] != '"'; at++) {
      if (text[at] == '\\' && at + 1 < text.size()) at++;
      word += text[at];
    }
    text.remove_prefix(std::min(at + 1, text.size()));
    return true;
  }
  void skip_line() { text.remove_prefix(std::min(text.find('\n'), text.size())); }
  void skip_macro() {
    const size_t end = text.find("\n\n");
    text.remove_prefix(end == V::npos ? text.size() : end + 2);
  }
};

std::string netrc_path() {
  if (const char* named = getenv("NETRC"); named && *named) return named;
  const char* home = getenv("HOME");
  if (!home || !*home) {
    const passwd* user = getpwuid(getuid());
    home = user ? user->pw_dir : nullptr;
  }
  return home ? std::string(home) + "/.netrc" : "";
}

bool read_netrc(std::string& text) {
  const std::string path = netrc_path();
  if (path.empty()) return false;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > kMostNetrc) return false;
  static std::atomic<bool> told{false};
  if ((st.st_mode & 077) && !told.exchange(true))
    log(LogLevel::warning, "{}: others may read the passwords in it: chmod 600 {}", path, path);
  text.resize(static_cast<size_t>(st.st_size));
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return n > 0;
}

}  // namespace

std::optional<Login> find_login(V netrc, V host, V user) {
  Words words{netrc};
  std::string word;
  std::string login, password;
  bool ours = false;
  auto found = [&]() -> std::optional<Login> {
    std::optional<Login> l;
    if (ours && (user.empty() || login == user)) l = Login{login, Secret(password)};
    explicit_bzero(password.data(), password.size());
    return l;
  };
  while (words.next(word)) {
    if (word == "machine" || word == "default") {
      if (auto l = found()) return l;
      login.clear();
      password.clear();
      ours = word == "default" && user.empty();
      if (word == "machine" && words.next(word))
        ours = word.size() == host.size() && strncasecmp(word.data(), host.data(), host.size()) == 0;
    } else if (word == "login") {
      words.next(login);
    } else if (word == "password") {
      words.next(password);
    } else if (word == "account") {
      words.next(word);
    } else if (word == "macdef") {
      words.skip_macro();
    } else if (word.starts_with('#')) {
      words.skip_line();
    }
  }
  explicit_bzero(word.data(), word.size());
  return found();
}

std::optional<Login> find_login(const std::string& host, const std::string& user) {
  std::string text;
  if (!read_netrc(text)) return std::nullopt;
  auto login = find_login(V(text), V(host), V(user));
  explicit_bzero(text.data(), text.size());
  return login;
}

bool names_host(const std::string& host) {
  std::string text;
  if (!read_netrc(text)) return false;
  // Without a user `default` would answer for every host.
  Words words{text};
  std::string word;
  bool named = false;
  while (!named && words.next(word)) {
    if (word == "machine")
      named = words.next(word) && strcasecmp(word.c_str(), host.c_str()) == 0;
    else if (word == "macdef")
      words.skip_macro();
    else if (word == "password" || word == "login" || word == "account")
      words.next(word);
    else if (word.starts_with('#'))
      words.skip_line();
  }
  explicit_bzero(text.data(), text.size());
  return named;
}

Expected<Secret> read_secret(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::array<char, 4096> text{};
  const ssize_t n = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (n < 0)
    return Problem{last_errno(), fmt::format("cannot read password_file {}: {}", path, text_of(last_errno())), ""};
  V line(text.data(), static_cast<size_t>(n));
  line = line.substr(0, line.find_first_of("\r\n"));
  Secret secret(line);
  explicit_bzero(text.data(), text.size());
  if (secret.empty())
    return Problem{err(EINVAL), fmt::format("password_file {} has no password in its first line", path), ""};
  return secret;
}

}  // namespace isthmus::fs::curl
