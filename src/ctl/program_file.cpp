#include "ctl/program_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>

#include "base/fd.h"

namespace isthmus::ctl {
namespace {

Problem about(const std::string& path, Errno e, std::string_view what, std::string hint = {}) {
  return {e, fmt::format("{}: {}", path, what), std::move(hint)};
}

Status can_execute(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return last_errno();
  if (!S_ISREG(st.st_mode)) return err(EACCES);
  return check(faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS));
}

}  // namespace

Expected<std::vector<std::byte>> read_whole(const std::string& path) {
  // A FIFO would make open(2) wait.
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return about(path, last_errno(), text_of(last_errno()));
  if (!S_ISREG(st.st_mode)) return about(path, err(EACCES), "is not a regular file");
  if (static_cast<uint64_t>(st.st_size) > kMostProgram) return about(path, err(EFBIG), "is larger than any program");
  std::vector<std::byte> bytes(static_cast<size_t>(st.st_size));
  size_t have = 0;
  while (have < bytes.size()) {
    ssize_t n = read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return about(path, last_errno(), text_of(last_errno()));
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

Expected<std::unique_ptr<ElfFile>> read_elf(const std::string& path) {
  auto bytes = read_whole(path);
  if (!bytes) return bytes.problem();
  return elf_of(path, std::move(*bytes));
}

Expected<std::unique_ptr<ElfFile>> elf_of(const std::string& path, std::vector<std::byte> bytes) {
  auto file = std::make_unique<ElfFile>(ElfFile{path, std::move(bytes), {}});
  auto image = wire::elf::read_image(file->bytes);
  if (!image) return Problem{image.problem().code, path + " " + image.problem().what, {}};
  file->image = std::move(*image);
  return file;
}

Expected<std::string> resolve_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (Status s = can_execute(name); !s) {
      bool folder = access((name + "/.").c_str(), F_OK) == 0;
      return about(name, s.error(), folder ? "is a folder" : text_of(s.error()),
                   s.error() == err(EACCES) && !folder ? "chmod +x makes a program of yours executable" : "");
    }
    return name;
  }
  const char* path = getenv("PATH");
  std::string list = path ? path : "/usr/local/bin:/usr/bin:/bin", refused;
  for (size_t at = 0; !name.empty() && at <= list.size();) {
    size_t end = std::min(list.find(':', at), list.size());
    std::string folder = list.substr(at, end - at), file = (folder.empty() ? "." : folder) + "/" + name;
    Status s = can_execute(file);
    if (s) return file;
    if (s.error() == err(EACCES) && refused.empty() && access(file.c_str(), F_OK) == 0) refused = file;
    at = end + 1;
  }
  if (!refused.empty()) return about(refused, err(EACCES), text_of(err(EACCES)));
  return about(name, err(ENOENT), "no such program in the folders of $PATH",
               access(name.c_str(), F_OK) == 0 ? fmt::format("the file of this name here is ./{}", name) : "");
}

std::string ignores_environment(const std::string& path) {
  struct stat st {};
  struct statvfs mount {};
  if (stat(path.c_str(), &st) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return {};
  if (statvfs(path.c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID)) return {};
  if ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) return "setuid";
  if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid()) return "setgid";
  if (geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0)
    return "a program with capabilities";
  return {};
}

}  // namespace isthmus::ctl
