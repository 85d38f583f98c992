#include "providers/fuse_daemon/notifier.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <climits>
#include <cstring>

#include "providers/fuse_daemon/process.h"
#include "providers/fuse_daemon/syscalls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace isthmus::fuse_daemon {
namespace {

constexpr std::string_view kFuse = "/dev/fuse", kCuse = "/dev/cuse", kTerminal = "/dev/tty";
constexpr size_t kMostDeviceName = 16;  // longer paths are none of these
constexpr size_t kMostOptions = 64 << 10;

seccomp_notif_sizes sizes() {
  seccomp_notif_sizes s{};
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) < 0)
    s = {sizeof(seccomp_notif), sizeof(seccomp_notif_resp), sizeof(seccomp_data)};
  return s;
}

std::vector<uint64_t> room(size_t least, size_t size) {
  return std::vector<uint64_t>((std::max(least, size) + sizeof(uint64_t) - 1) / sizeof(uint64_t));
}

/// A pointer that may be null, for the empty text.
std::optional<std::string> text_or_none(pid_t thread, uint64_t address, size_t most) {
  return address == 0 ? std::string() : read_text(thread, address, most);
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

struct Notifier::Question {
  uint64_t id;
  pid_t thread;
  seccomp_data data;
};

Notifier::Notifier(Fd fd, Device& device, Listener& listener, std::string fusermount)
    : fd_(std::move(fd)),
      device_(device),
      listener_(listener),
      fusermount_(std::move(fusermount)),
      terminal_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
  const auto s = sizes();
  question_ = room(sizeof(seccomp_notif), s.seccomp_notif);
  response_ = room(sizeof(seccomp_notif_resp), s.seccomp_notif_resp);
}

Result<Fd> Notifier::install() {
  auto code = make_filter();
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  // Once a question has been taken, signals wait for its answer: a descriptor that came with it would be lost
  // otherwise.
  for (unsigned long more : {SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0UL}) {
    Fd fd(static_cast<int>(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | more, &program)));
    if (fd) return fd;
    if (errno != EINVAL) break;
  }
  return last_errno();
}

void Notifier::answer() {
  std::fill(question_.begin(), question_.end(), 0);
  if (ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, question_.data()) < 0) return;  // it has been killed meanwhile
  seccomp_notif n{};
  memcpy(&n, question_.data(), sizeof n);
  const Question q{n.id, static_cast<pid_t>(n.pid), n.data};
  if (q.thread == 0) return go_on(q);  // of a process that cannot be seen from here
  const auto& a = q.data.args;
  switch (which_call(q.data)) {
    case SystemCall::open:
      return answer_open(q, a[0], a[1]);
    case SystemCall::openat:
      return answer_open(q, a[1], a[2]);
    case SystemCall::openat2:
      return answer_openat2(q);
    case SystemCall::mount:
      return answer_mount(q);
    case SystemCall::umount:
    case SystemCall::umount2:
      return answer_umount(q);
    case SystemCall::fsopen:
      return answer_fsopen(q);
    case SystemCall::ioctl:
      return answer_clone(q);
    case SystemCall::execve:
      return answer_exec(q, a[0]);
    case SystemCall::execveat:
      return answer_exec(q, a[1]);
    case SystemCall::fcntl:
    case SystemCall::other:
      return go_on(q);
  }
}

void Notifier::answer_open(const Question& q, uint64_t path, uint64_t flags) {
  const auto name = read_text(q.thread, path, kMostDeviceName);
  if (!name || !still_asks(q)) return go_on(q);
  if (*name == kFuse) return give_device(q, flags);
  if (*name == kCuse) return give_cuse(q, flags);
  if (*name == kTerminal && terminal_) return give(q, terminal_.get(), flags);
  go_on(q);
}

void Notifier::answer_openat2(const Question& q) {
  open_how how{};
  if (q.data.args[3] < sizeof how || !read_memory(q.thread, q.data.args[2], &how, sizeof how) ||
      (how.flags & (O_ACCMODE | O_CREAT)) != O_RDWR)
    return go_on(q);
  answer_open(q, q.data.args[1], how.flags);
}

void Notifier::give_device(const Question& q, uint64_t flags) {
  if (device_.here()) {
    // All who have this end see it: those that ask for it now are the daemon alone.
    if (flags & O_NONBLOCK) fcntl(device_.get(), F_SETFL, fcntl(device_.get(), F_GETFL) | O_NONBLOCK);
    listener_.opened(process_of(q.thread));
    return give(q, device_.get(), flags);
  }
  // It serves already. What it gets is at its end, until FUSE_DEV_IOC_CLONE puts the device in its place.
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return reply(q, errno);
  Fd theirs(ends[0]), ours(ends[1]);
  give(q, theirs.get(), flags);
}

/// Whoever opens it is served at once: it is what mount(2) is to others.
void Notifier::give_cuse(const Question& q, uint64_t flags) {
  Mount device;
  device.character_device = true;
  if (!device_.here()) return reply(q, EBUSY);
  if (Status taken = listener_.mounted(std::move(device)); !taken) return reply(q, EBUSY);
  give_device(q, flags);
}

void Notifier::answer_clone(const Question& q) {
  uint32_t master = 0;
  if (!read_memory(q.thread, q.data.args[2], &master, sizeof master)) return go_on(q);
  Fd device = descriptor_of(q.thread, static_cast<int>(master));
  if (!still_asks(q) || !device_.is(device)) return go_on(q);
  // A message goes to one reader, whichever descriptor it reads by: the device is its own clone.
  seccomp_notif_addfd add{};
  add.id = q.id;
  add.flags = SECCOMP_ADDFD_FLAG_SETFD;
  add.srcfd = static_cast<uint32_t>(device.get());
  add.newfd = static_cast<uint32_t>(q.data.args[0]);
  add.newfd_flags = O_CLOEXEC;
  reply(q, ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0);
}

void Notifier::answer_mount(const Question& q) {
  const auto& a = q.data.args;
  const auto type = text_or_none(q.thread, a[2], PATH_MAX);
  if (!type || !is_fuse_type(*type)) return go_on(q);
  const auto source = text_or_none(q.thread, a[0], PATH_MAX), target = read_text(q.thread, a[1], PATH_MAX),
             data = text_or_none(q.thread, a[4], kMostOptions);
  if (!source || !target || !data) return reply(q, EFAULT);
  Mount mount = take_mount(*source, *type, a[3], *data);
  mount.target = absolute_path(q.thread, *target);
  const Fd its = mount.device >= 0 ? descriptor_of(q.thread, mount.device) : Fd();
  if (!still_asks(q)) return go_on(q);
  // A kernel too old to fetch descriptors leaves it unknown.
  if (its && !device_.is(its)) return reply(q, EPERM);
  reply(q, listener_.mounted(std::move(mount)).code());
}

void Notifier::answer_umount(const Question& q) {
  const auto target = read_text(q.thread, q.data.args[0], PATH_MAX);
  if (!target || !still_asks(q) || !listener_.unmounted(absolute_path(q.thread, *target))) return go_on(q);
  reply(q, 0);
}

/// A kernel without these calls: whoever makes them goes back to mount(2).
void Notifier::answer_fsopen(const Question& q) {
  const auto type = read_text(q.thread, q.data.args[0], PATH_MAX);
  if (!type || !still_asks(q) || !is_fuse_type(*type)) return go_on(q);
  reply(q, ENOSYS);
}

/// A fusermount of the system, as libfuse names it first, is not there: ours is found on $PATH then.
void Notifier::answer_exec(const Question& q, uint64_t path) {
  const auto program = read_text(q.thread, path, PATH_MAX);
  if (!program || !still_asks(q)) return go_on(q);
  const auto name = last_part(*program);
  if ((name != "fusermount" && name != "fusermount3") || program->starts_with(fusermount_)) return go_on(q);
  reply(q, ENOENT);
}

bool Notifier::still_asks(const Question& q) const {
  return ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &q.id) == 0;
}

void Notifier::send(seccomp_notif_resp response) {
  std::fill(response_.begin(), response_.end(), 0);
  memcpy(response_.data(), &response, sizeof response);
  // ENOENT: it has been killed meanwhile.
  static_cast<void>(ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_.data()));
}

void Notifier::go_on(const Question& q) {
  seccomp_notif_resp r{};
  r.id = q.id;
  r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  send(r);
}

void Notifier::reply(const Question& q, int error, int64_t value) {
  seccomp_notif_resp r{};
  r.id = q.id;
  r.error = -error;
  r.val = error != 0 ? 0 : value;
  send(r);
}

void Notifier::give(const Question& q, int fd, uint64_t flags) {
  seccomp_notif_addfd add{};
  add.id = q.id;
  add.srcfd = static_cast<uint32_t>(fd);
  add.newfd_flags = flags & O_CLOEXEC;
  const int number = ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add);
  if (number < 0) return reply(q, errno);
  reply(q, 0, number);
}

}  // namespace isthmus::fuse_daemon
