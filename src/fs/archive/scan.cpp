#include "fs/archive/scan.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "fs/archive/scanner.h"

namespace isthmus::fs::archive {

std::unique_ptr<Archive> scan(Fd fd, const std::string& name, const ArchiveOptions& o, const ArchiveHooks& hooks,
                              OpenError& error) {
  auto a = std::make_unique<Archive>();
  a->file.fd = std::move(fd);
  a->file.name = name;
  struct stat st;
  if (::fstat(a->file.fd.get(), &st) != 0) {
    error = {last_errno(), fmt::format("cannot open {}: {}", name, text_of(last_errno()))};
    return nullptr;
  }
  if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
    error = {err(EINVAL), fmt::format("cannot open {}: not a regular file; give an archive file", name)};
    return nullptr;
  }
  off_t end = S_ISBLK(st.st_mode) ? ::lseek(a->file.fd.get(), 0, SEEK_END) : st.st_size;
  a->file.size = end > 0 ? static_cast<uint64_t>(end) : 0;
  a->file.device = st.st_dev;
  a->file.inode = st.st_ino;
  a->file.mtime = to_time(st.st_mtim);
  a->file.ctime = to_time(st.st_ctim);
  a->file.block_device = S_ISBLK(st.st_mode);
  if (!Scanner(*a, o, hooks, error).run()) return nullptr;
  return a;
}

std::unique_ptr<Archive> scan(const std::string& path, const ArchiveOptions& o, const ArchiveHooks& hooks,
                              OpenError& error) {
  // O_NONBLOCK: a fifo must not hang us before we can refuse it.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) {
    Errno e = last_errno();
    const char* next = e == err(ENOENT)   ? "; check the path"
                       : e == err(EACCES) ? "; you need permission to read it"
                                          : "";
    error = {e, fmt::format("cannot open {}: {}{}", path, text_of(e), next)};
    return nullptr;
  }
  return scan(std::move(fd), path, o, hooks, error);
}

}  // namespace isthmus::fs::archive
