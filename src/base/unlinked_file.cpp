#include "base/unlinked_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/clock.h"

namespace isthmus {

Fd unlinked_file(int directory) {
  Fd fd(::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  // Not every file system has O_TMPFILE.
  for (int i = 0; i < 16; i++) {
    std::string name = fmt::format(".isthmus-{}-{:x}-{}", getpid(), monotonic_ns(), i);
    fd.reset(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd) {
      ::unlinkat(directory, name.c_str(), 0);
      return fd;
    }
    if (errno != EEXIST) break;
  }
  return fd;
}

Result<Fd> unlinked_file(const std::string& folder) {
  std::vector<std::string> places;
  if (!folder.empty()) {
    places.push_back(folder);
  } else {
    if (const char* named = ::getenv("TMPDIR"); named && named[0] == '/') places.emplace_back(named);
    places.insert(places.end(), {"/var/tmp", "/tmp"});
  }
  Errno why{};
  for (auto& p : places) {
    const Fd dir(::open(p.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    Fd file;
    if (dir) file = unlinked_file(dir.get());
    if (file) return file;
    why = last_errno();
  }
  return why;
}

Fd cache_directory(const std::string& given) {
  std::vector<std::string> places;
  auto add = [&](const char* root, const char* below) {
    if (!root || root[0] != '/') return;
    places.push_back(std::string(root) + below);
    if (*below) ::mkdir(places.back().c_str(), 0700);
  };
  if (!given.empty()) {
    places.push_back(given);
  } else {
    add(::getenv("XDG_CACHE_HOME"), "/isthmus");
    add(::getenv("TMPDIR"), "");
    places.emplace_back("/var/tmp");
  }
  for (auto& p : places) {
    Fd dir(::open(p.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir && unlinked_file(dir.get())) return dir;
  }
  return {};
}

}  // namespace isthmus
