#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "vfs/types.h"

/// Thin shapes over the system calls this provider needs. No state, any thread.
namespace isthmus::fs::pass {

/// One component of a path, ended by NUL for system calls. Nothing else ever reaches the kernel as a name, and every
/// call that takes one is told not to follow a link, so no name leads out of the folder.
class Name {
 public:
  explicit Name(std::string_view s);
  /// 0, ENAMETOOLONG, or EINVAL for names that are no single component (empty, ".", "..", with '/' or NUL).
  int error() const { return error_; }
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 256> text_;
  int error_ = 0;
};

/// "/proc/self/fd/N": the way to a file of which one has only an O_PATH descriptor. Never passes through names.
class ProcPath {
 public:
  explicit ProcPath(int fd);
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 32> text_;
};

/// What name_to_handle_at(2) gives: names a file within its mount for as long as the file exists, never a later one.
struct KernelHandle {
  int type = 0;
  std::string bytes;
  bool empty() const { return bytes.empty(); }
  friend bool operator==(const KernelHandle&, const KernelHandle&) = default;
};

/// A file within this machine.
struct FileKey {
  uint64_t dev = 0, ino = 0;
  friend bool operator==(const FileKey&, const FileKey&) = default;
};

/// One look at a file: its attributes and, where the store has them, its handle and the mount it is in.
struct Look {
  struct ::statx st {};
  KernelHandle handle;
  int mount = -1;
  FileKey key() const;
  uint32_t type() const { return st.stx_mode & S_IFMT; }
};

/// statx of `name` in `dir`, or of `dir` itself when name is "". Links are not followed.
Result<struct ::statx> stat_at(int dir, const char* name);
/// stat_at and name_to_handle_at. Where no handle can be had, handle is empty and mount -1.
Result<Look> look_at(int dir, const char* name, bool with_handle);
/// chmod(2) of the file of `fd`, which may be O_PATH.
Status change_mode(int fd, uint32_t mode);
Result<int> open_handle(int mount_fd, const KernelHandle& handle, int flags);

/// Where the open directory `fd` is now, as this process sees it; empty when it cannot be told.
std::string path_of(int fd);

/// Whether the store of `fd` writes when a file is closed, and may fail then. True when it cannot be told.
bool reports_at_close(int fd);
/// Differs when size or times do, and is never 0.
uint64_t fingerprint(const struct ::statx& st);
uint64_t dev_of(const struct ::statx& st);
/// ino as the mounted tree shows it: the store's own on the root's device; other devices are told apart.
uint64_t shown_ino(FileKey key, uint64_t root_dev);
Attr to_attr(const struct ::statx& st, uint64_t root_dev);

/// Runs a system call again when a signal came in between.
template <class F>
auto no_eintr(F f) {
  auto r = f();
  while (r < 0 && errno == EINTR) r = f();
  return r;
}

}  // namespace isthmus::fs::pass
