#include "fs/pass/sys.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>

namespace isthmus::fs::pass {

Name::Name(std::string_view s) {
  text_[0] = 0;
  if (s.size() >= text_.size())
    error_ = ENAMETOOLONG;
  else if (s.empty() || s == "." || s == ".." || s.find('/') != s.npos || s.find('\0') != s.npos)
    error_ = EINVAL;
  else
    *std::copy(s.begin(), s.end(), text_.begin()) = 0;
}

ProcPath::ProcPath(int fd) { *fmt::format_to_n(text_.data(), text_.size() - 1, "/proc/self/fd/{}", fd).out = 0; }

std::string path_of(int fd) {
  std::string path(PATH_MAX, '\0');
  ssize_t n = ::readlink(ProcPath(fd).c_str(), path.data(), path.size());
  path.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return path;
}

uint64_t dev_of(const struct ::statx& st) { return makedev(st.stx_dev_major, st.stx_dev_minor); }

FileKey Look::key() const { return {dev_of(st), st.stx_ino}; }

Result<struct ::statx> stat_at(int dir, const char* name) {
  struct ::statx st;
  int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);
  if (::statx(dir, name, flags, STATX_BASIC_STATS | STATX_BTIME, &st) < 0) return last_errno();
  return st;
}

Result<Look> look_at(int dir, const char* name, bool with_handle) {
  Look look;
  auto st = stat_at(dir, name);
  if (!st) return st.error();
  look.st = *st;
  if (!with_handle) return look;

  alignas(file_handle) char space[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* h = new (space) file_handle{};
  h->handle_bytes = MAX_HANDLE_SZ;
  int mount = -1;
  if (::name_to_handle_at(dir, name, h, &mount, *name ? 0 : AT_EMPTY_PATH) == 0 && h->handle_bytes > 0) {
    look.handle.type = h->handle_type;
    look.handle.bytes.assign(space + offsetof(file_handle, f_handle), h->handle_bytes);
    look.mount = mount;
  } else if (errno == ENOENT || errno == ESTALE) {
    return last_errno();  // gone between the two calls
  }
  return look;
}

Status change_mode(int fd, uint32_t mode) {
  constexpr long kFchmodat2 = 452;  // Linux 6.6, not in Debian 12's headers; half as long as the way through /proc
  enum : uint8_t { unknown, works, missing };
  static std::atomic<uint8_t> state{unknown};
  mode &= 07777;
  if (state.load(std::memory_order_relaxed) != missing) {
    if (::syscall(kFchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0) {
      state.store(works, std::memory_order_relaxed);
      return Unit{};
    }
    // Sandboxes that do not know the call say EPERM.
    if (errno != ENOSYS && (errno != EPERM || state.load(std::memory_order_relaxed) == works)) return last_errno();
    if (errno == ENOSYS) state.store(missing, std::memory_order_relaxed);
  }
  return check(::chmod(ProcPath(fd).c_str(), mode));
}

Result<int> open_handle(int mount_fd, const KernelHandle& handle, int flags) {
  if (handle.bytes.size() > MAX_HANDLE_SZ) return err(EINVAL);
  alignas(file_handle) char space[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* h = new (space) file_handle{};
  h->handle_bytes = static_cast<unsigned>(handle.bytes.size());
  h->handle_type = handle.type;
  std::copy(handle.bytes.begin(), handle.bytes.end(), space + offsetof(file_handle, f_handle));
  int fd = no_eintr([&] { return ::open_by_handle_at(mount_fd, h, flags | O_CLOEXEC); });
  if (fd < 0) return last_errno();
  return fd;
}

uint64_t shown_ino(FileKey key, uint64_t root_dev) {
  if (key.dev == root_dev) return key.ino;
  if (key.ino >> 32 == 0 && key.dev >> 32 == 0) return key.dev << 32 | key.ino;
  uint64_t x = key.ino * 0x9e3779b97f4a7c15u ^ key.dev;
  x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9u;
  return (x ^ x >> 29) | uint64_t{1} << 63;
}

uint64_t fingerprint(const struct ::statx& st) {
  uint64_t h = 0xcbf29ce484222325u;
  for (uint64_t v :
       {static_cast<uint64_t>(st.stx_size), static_cast<uint64_t>(st.stx_mtime.tv_sec), uint64_t{st.stx_mtime.tv_nsec},
        static_cast<uint64_t>(st.stx_ctime.tv_sec), uint64_t{st.stx_ctime.tv_nsec}}) {
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
  }
  return h | 1;
}

bool reports_at_close(int fd) {
  constexpr uint32_t kLocal[] = {EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC,  BTRFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC,
                                 OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, MSDOS_SUPER_MAGIC, 0x2fc12fc1 /* zfs */};
  struct ::statfs s {};
  if (::fstatfs(fd, &s) < 0) return true;
  return std::find(std::begin(kLocal), std::end(kLocal), static_cast<uint32_t>(s.f_type)) == std::end(kLocal);
}

namespace {
Time time_of(const statx_timestamp& t) { return {t.tv_sec, t.tv_nsec}; }
}  // namespace

Attr to_attr(const struct ::statx& st, uint64_t root_dev) {
  Attr a;
  a.ino = shown_ino({dev_of(st), st.stx_ino}, root_dev);
  a.size = st.stx_size;
  a.blocks = st.stx_blocks;
  a.rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor);
  a.atime = time_of(st.stx_atime);
  a.mtime = time_of(st.stx_mtime);
  a.ctime = time_of(st.stx_ctime);
  a.has_btime = st.stx_mask & STATX_BTIME;
  if (a.has_btime) a.btime = time_of(st.stx_btime);
  a.mode = st.stx_mode;
  a.nlink = st.stx_nlink;
  a.uid = st.stx_uid;
  a.gid = st.stx_gid;
  a.block_size = st.stx_blksize;
  a.flags = static_cast<uint32_t>(st.stx_attributes & st.stx_attributes_mask);
  return a;
}

}  // namespace isthmus::fs::pass
