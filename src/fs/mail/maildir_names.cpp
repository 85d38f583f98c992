#include "fs/mail/maildir_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/clock.h"
#include "base/fd.h"
#include "fs/mail/names.h"

namespace isthmus::fs::mail {

MessageName MessageName::of(std::string_view place) {
  const auto name = place.substr(place.find('/') + 1);
  const size_t colon = name.find(':');
  const auto info = colon == name.npos ? std::string_view() : name.substr(colon + 1);
  return {name.substr(0, colon), info.starts_with("2,") ? info.substr(2) : std::string_view()};
}

std::string in_cur(std::string_view key, std::string_view letters) { return fmt::format("cur/{}:2,{}", key, letters); }

std::string unique_name() {
  static std::atomic<uint64_t> count{0};
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  std::string name(host);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
  const Time t = now();
  return fmt::format("{}.M{}P{}Q{}.{}", t.sec, t.nsec / 1000, ::getpid(), ++count, name);
}

std::string join(std::string_view folder, std::string_view below) {
  if (folder.empty()) return below.empty() ? "." : std::string(below);
  return below.empty() ? std::string(folder) : fmt::format("{}/{}", folder, below);
}

bool is_maildir(int root, const std::string& folder) {
  struct stat st {};
  return ::fstatat(root, join(folder, "cur").c_str(), &st, 0) == 0 && S_ISDIR(st.st_mode);
}

bool has_maildir(int root, const std::string& folder) {
  if (is_maildir(root, folder)) return true;
  Fd fd(::openat(root, join(folder, "").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* dir = fd ? ::fdopendir(fd.get()) : nullptr;
  if (!dir) return false;
  (void)fd.release();
  bool found = false;
  while (const dirent* e = found ? nullptr : ::readdir(dir)) {
    const std::string_view name = e->d_name;
    if (name != "." && name != ".." && e->d_type != DT_REG) found = is_maildir(root, join(folder, name));
  }
  ::closedir(dir);
  return found;
}

std::string trash_place(int root, std::string_view shown) {
  // Without messages of its own it is a folder of Maildirs, which have no dots.
  if (!is_maildir(root, "")) return std::string(shown);
  std::string place = ".";
  for (const char c : shown) place += c == '/' ? '.' : c;
  return "." + mailbox_of_utf8(std::string_view(place).substr(1));
}

}  // namespace isthmus::fs::mail
