#include "doors/fuse/mount_direct.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "doors/fuse/mount_table.h"

// <sys/mount.h> and <linux/mount.h> of Debian 12 do not go together; these two are all that is wanted of the former.
extern "C" int mount(const char* source, const char* target, const char* type, unsigned long flags,
                     const void* data) noexcept;

namespace isthmus::fuse {
namespace {

int fs_open(const char* type) { return static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }
int fs_config(int fs, unsigned command, const char* key, const char* value) {
  return static_cast<int>(syscall(SYS_fsconfig, fs, command, key, value, 0));
}
int fs_mount(int fs, unsigned attributes) {
  return static_cast<int>(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes));
}
int move_mount_on(int mount, int place) {
  return static_cast<int>(
      syscall(SYS_move_mount, mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

std::string octal(uint32_t n) {
  char text[16];
  snprintf(text, sizeof text, "%o", n);
  return text;
}

/// The messages the kernel left in a file system context: "e fuse: Unknown parameter", one a read.
std::string context_errors(int fs) {
  std::string all;
  char line[256];
  for (ssize_t n; (n = read(fs, line, sizeof line)) > 0;) {
    std::string_view text(line, static_cast<size_t>(n));
    if (text.size() > 2 && text[1] == ' ') text.remove_prefix(2);
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    all += (all.empty() ? "" : "; ") + std::string(text);
  }
  return all;
}

struct Parameter {
  const char* key;
  std::string value;
  bool has_value = true;
};

/// What the fuse file system itself is told (fs/fuse/inode.c, fuse_fs_parameters).
std::vector<Parameter> parameters(int device, const MountOptions& o, uint32_t root_type) {
  std::vector<Parameter> p{{"fd", std::to_string(device)},
                           {"rootmode", octal(root_type & S_IFMT)},
                           {"user_id", std::to_string(getuid())},
                           {"group_id", std::to_string(getgid())}};
  if (o.default_permissions.value_or(true)) p.push_back({"default_permissions", "", false});
  if (o.allow_other) p.push_back({"allow_other", "", false});
  if (o.max_read) p.push_back({"max_read", std::to_string(o.max_read)});
  if (o.block_device && o.block_size) p.push_back({"blksize", std::to_string(o.block_size)});
  for (const auto& [key, value] : o.labels) p.push_back({key.c_str(), value});
  return p;
}

const char* kernel_type(const MountOptions& o) { return o.block_device ? "fuseblk" : "fuse"; }

unsigned mount_attributes(const MountOptions& o) {
  unsigned a = 0;
  if (o.read_only) a |= MOUNT_ATTR_RDONLY;
  if (!o.suid) a |= MOUNT_ATTR_NOSUID;
  if (!o.dev) a |= MOUNT_ATTR_NODEV;
  if (o.noexec) a |= MOUNT_ATTR_NOEXEC;
  a |= o.noatime ? MOUNT_ATTR_NOATIME : o.strictatime ? MOUNT_ATTR_STRICTATIME : MOUNT_ATTR_RELATIME;
  if (o.nodiratime) a |= MOUNT_ATTR_NODIRATIME;
  if (o.nosymfollow) a |= MOUNT_ATTR_NOSYMFOLLOW;
  return a;
}

Problem failed(Errno e, const Mountpoint& point, const std::string& detail) {
  std::string what = "cannot mount on '" + point.path + "': " + std::string(text_of(e));
  if (!detail.empty()) what += " (" + detail + ")";
  std::string hint;
  if (e == err(EPERM)) hint = "`isthmus doctor` shows what this machine allows";
  if (e == err(ENODEV)) hint = "the kernel has no FUSE: modprobe fuse";
  if (e == err(EINVAL)) hint = "the kernel refused an option";
  return {e, what, hint};
}

/// Linux 5.2 and newer. ENOSYS and EPERM-by-seccomp send the caller to mount(2).
Expected<int> mount_by_context(const Mountpoint& point, const MountOptions& o, const std::vector<Parameter>& parameters,
                               const std::string& source, const std::string& type, std::string* detail) {
  Fd fs(fs_open(kernel_type(o)));
  if (!fs) return Problem{last_errno(), "fsopen", ""};
  auto set = [&](const char* key, const char* value) {
    return fs_config(fs.get(), value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value) == 0;
  };
  bool ok = set("source", source.c_str()) && (type.empty() || set("subtype", type.c_str()));
  for (auto& p : parameters) ok = ok && set(p.key, p.has_value ? p.value.c_str() : nullptr);
  if (ok && o.read_only) ok = set("ro", nullptr);
  if (ok && o.sync) ok = set("sync", nullptr);
  if (ok && o.dirsync) ok = set("dirsync", nullptr);
  ok = ok && fs_config(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) == 0;
  Fd made;
  if (ok) made.reset(fs_mount(fs.get(), mount_attributes(o)));
  if (!made) {
    Errno e = last_errno();
    *detail = context_errors(fs.get());
    return Problem{e, "fsmount", ""};
  }
  // The mount id alone needs no word from the server, which does not serve yet.
  struct statx sx {};
  int id =
      statx(made.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) == 0 && (sx.stx_mask & STATX_MNT_ID)
          ? static_cast<int>(sx.stx_mnt_id)
          : -1;
  if (move_mount_on(made.get(), point.place.get()) < 0) return Problem{last_errno(), "move_mount", ""};
  return id;
}

/// mount(2), for kernels before 5.2 and containers whose seccomp filter knows only it.
Status mount_by_call(const Mountpoint& point, const MountOptions& o, const std::vector<Parameter>& parameters,
                     const std::string& source, const std::string& type) {
  std::string data;
  for (auto& p : parameters) {
    if (!data.empty()) data += ',';
    data += p.key;
    if (p.has_value) data += '=' + p.value;
  }
  std::string place = "/proc/self/fd/" + std::to_string(point.place.get());
  std::string whole = std::string(kernel_type(o)) + (type.empty() ? "" : "." + type);
  return check(::mount(source.c_str(), place.c_str(), whole.c_str(), mount_flags(o), data.c_str()));
}

}  // namespace

unsigned long mount_flags(const MountOptions& o) {
  // Values of mount(2).
  constexpr unsigned long kRdonly = 1, kNosuid = 2, kNodev = 4, kNoexec = 8, kSync = 16, kDirsync = 128,
                          kNoatime = 1024, kNodiratime = 2048, kNosymfollow = 256, kStrictatime = 1ul << 24;
  return (o.read_only ? kRdonly : 0) | (o.suid ? 0 : kNosuid) | (o.dev ? 0 : kNodev) | (o.noexec ? kNoexec : 0) |
         (o.sync ? kSync : 0) | (o.dirsync ? kDirsync : 0) | (o.noatime ? kNoatime : 0) |
         (o.nodiratime ? kNodiratime : 0) | (o.nosymfollow ? kNosymfollow : 0) | (o.strictatime ? kStrictatime : 0);
}

Expected<Mounted> mount_direct(Mountpoint& point, const MountOptions& o, uint32_t root_type, const std::string& source,
                               const std::string& type) {
  Mounted m;
  m.device.reset(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!m.device) {
    Errno e = last_errno();
    bool absent = e == err(ENOENT) || e == err(ENODEV) || e == err(ENXIO);
    return Problem{e == err(EACCES) ? err(EPERM) : e, "cannot open /dev/fuse: " + std::string(text_of(e)),
                   absent ? "load the module: modprobe fuse; in a container, start it with --device /dev/fuse"
                          : "`isthmus doctor` shows what this machine allows"};
  }
  auto params = parameters(m.device.get(), o, root_type);
  std::string detail;
  auto made = mount_by_context(point, o, params, source, type, &detail);
  if (made) {
    m.id = *made;
  } else {
    Errno e = made.problem().code;
    if (e != err(EPERM) && e != err(EINVAL) && !is_unsupported(e)) return failed(e, point, detail);
    if (auto done = mount_by_call(point, o, params, source, type); !done) return failed(done.error(), point, detail);
  }
  m.path = point.path;
  if (auto entry = m.id >= 0 ? mount_by_id(m.id) : mount_at(m.path)) {
    m.id = entry->id;
    m.path = entry->path;
    // Files of fuseblk have the numbers of the block device.
    if (!o.block_device) m.connection = entry->minor;
  }
  point.place.reset();  // it would keep what lies below busy
  return m;
}

}  // namespace isthmus::fuse
