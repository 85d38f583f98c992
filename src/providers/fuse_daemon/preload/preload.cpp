/// What is loaded into a hosted daemon (LD_PRELOAD) where its calls cannot be held up (seccomp): the same calls of its
/// C library ask the warden, by the socket of fusermount.h. Not for static programs, nor for those whose privileges the
/// dynamic linker guards. It has the daemon's process: plain C underneath, no memory of its own, errno as it was.
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace {

constexpr size_t kMostMessage = 32 << 10;
constexpr unsigned long kCloneDevice = _IOR(229, 0, uint32_t);  // FUSE_DEV_IOC_CLONE

template <class F>
F next_of(F, const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

const char* folder() { return getenv("ISTHMUS_HOSTED_IN"); }

/// A message that grows, and is nothing when it has grown too long.
struct Message {
  char text[kMostMessage];
  size_t size = 0;
  bool whole = true;

  void add(char c) {
    if (size < sizeof text)
      text[size++] = c;
    else
      whole = false;
  }
  void add(const char* more) {
    for (; more && *more; more++) add(*more);
  }
  /// As a value among options.
  void add_value(const char* name, const char* value) {
    add(',');
    add(name);
    add('=');
    for (; value && *value; value++) {
      if (*value == ',' || *value == '\\') add('\\');
      add(*value);
    }
  }
};

/// An errno, or 0; with 0 a descriptor may have come, else `fd` is -1.
int ask(const Message& message, int& fd) {
  fd = -1;
  const char* at = folder();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!message.whole || !at ||
      snprintf(address.sun_path, sizeof address.sun_path, "%s/fusermount.socket", at) >=
          static_cast<int>(sizeof address.sun_path))
    return ENXIO;
  const int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (s < 0) return errno;
  char answer[256];
  iovec data{answer, sizeof answer - 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  msghdr m{};
  m.msg_iov = &data;
  m.msg_iovlen = 1;
  m.msg_control = space;
  m.msg_controllen = sizeof space;
  ssize_t n = -1;
  if (connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      send(s, message.text, message.size, MSG_NOSIGNAL) == static_cast<ssize_t>(message.size))
    do n = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
  close(s);
  if (n <= 0) return ENXIO;
  answer[n] = '\0';
  const cmsghdr* c = CMSG_FIRSTHDR(&m);
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
  return strcmp(answer, "ok") == 0 ? 0 : atoi(answer) > 0 ? atoi(answer) : EPERM;
}

/// Keeps what whoever calls has in errno.
struct Errno {
  const int before = errno;
  ~Errno() { errno = before; }
};

int settle(int fd, int flags) {
  if (!(flags & O_CLOEXEC)) fcntl(fd, F_SETFD, 0);
  if (flags & O_NONBLOCK) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

/// A descriptor at its end, until FUSE_DEV_IOC_CLONE puts the device there.
int make_ended(int flags) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  close(ends[1]);
  return settle(ends[0], flags);
}

/// True: `fd` is what is to be answered, with errno if it is -1.
bool opened_by_us(const char* path, int flags, int& fd) {
  const char wish = !path                            ? '\0'
                    : strcmp(path, "/dev/fuse") == 0 ? 'o'
                    : strcmp(path, "/dev/cuse") == 0 ? 'c'
                    : strcmp(path, "/dev/tty") == 0  ? 't'
                                                     : '\0';
  if (wish == '\0' || (flags & (O_ACCMODE | O_CREAT)) != O_RDWR || !folder()) return false;
  Message m;
  m.add(wish);
  m.add('\0');
  m.add(path);
  m.add('\0');
  const int error = ask(m, fd);
  if (wish == 't' && fd < 0) return false;
  if (wish == 'o' && error == EBUSY)
    fd = make_ended(flags);
  else if (fd >= 0)
    settle(fd, flags);
  else
    errno = error != 0 ? error : ENXIO;
  return true;
}

bool is_fuse_type(const char* type) {
  if (!type) return false;
  for (const char* t : {"fuse", "fuseblk"}) {
    const size_t n = strlen(t);
    if (strncmp(type, t, n) == 0 && (type[n] == '\0' || type[n] == '.')) return true;
  }
  return false;
}

void add_place(Message& m, const char* path) {
  char here[PATH_MAX];
  if (path[0] != '/' && getcwd(here, sizeof here)) {
    m.add(here);
    if (strcmp(path, ".") != 0) {
      m.add('/');
      m.add(path);
    }
  } else {
    m.add(path);
  }
  m.add('\0');
}

bool unmounted_by_us(const char* target) {
  if (!target || !folder()) return false;
  const Errno kept;
  Message m;
  m.add('u');
  m.add('\0');
  add_place(m, target);
  int fd = -1;
  const bool ours = ask(m, fd) == 0;
  if (fd >= 0) close(fd);
  return ours;
}

/// A fusermount of the system: ours is found on $PATH when this one is not there.
bool is_hidden(const char* path) {
  const char* at = folder();
  const char* slash = path && at ? strrchr(path, '/') : nullptr;
  if (!slash || (strcmp(slash, "/fusermount") != 0 && strcmp(slash, "/fusermount3") != 0)) return false;
  return strncmp(path, at, strlen(at)) != 0;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// As open(2) has its third argument.
#define ISTHMUS_OPEN(name, at_folder, at_argument)             \
  int name(at_folder const char* path, int flags, ...) {       \
    mode_t mode = 0;                                           \
    if (flags & (O_CREAT | O_TMPFILE)) {                       \
      va_list more;                                            \
      va_start(more, flags);                                   \
      mode = va_arg(more, mode_t);                             \
      va_end(more);                                            \
    }                                                          \
    if (int fd = -1; opened_by_us(path, flags, fd)) return fd; \
    static const auto real = next_of(&name, #name);            \
    return real(at_argument path, flags, mode);                \
  }
#define ISTHMUS_FOLDER int at,
#define ISTHMUS_FOLDER_GIVEN at,
ISTHMUS_OPEN(open, , )
ISTHMUS_OPEN(open64, , )
ISTHMUS_OPEN(openat, ISTHMUS_FOLDER, ISTHMUS_FOLDER_GIVEN)
ISTHMUS_OPEN(openat64, ISTHMUS_FOLDER, ISTHMUS_FOLDER_GIVEN)

// What _FORTIFY_SOURCE makes of them.
#define ISTHMUS_OPEN_2(name, at_folder, at_argument)           \
  int name(at_folder const char* path, int flags) {            \
    if (int fd = -1; opened_by_us(path, flags, fd)) return fd; \
    static const auto real = next_of(&name, #name);            \
    return real(at_argument path, flags);                      \
  }
ISTHMUS_OPEN_2(__open_2, , )
ISTHMUS_OPEN_2(__open64_2, , )
ISTHMUS_OPEN_2(__openat_2, ISTHMUS_FOLDER, ISTHMUS_FOLDER_GIVEN)
ISTHMUS_OPEN_2(__openat64_2, ISTHMUS_FOLDER, ISTHMUS_FOLDER_GIVEN)

int mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data) noexcept {
  static const auto real = next_of(&mount, "mount");
  if (!is_fuse_type(type) || !target || !folder()) return real(source, target, type, flags, data);
  Message m;
  m.add('k');
  m.add(static_cast<const char*>(data));
  m.add_value("fsname", source);
  if (const char* subtype = strchr(type, '.')) m.add_value("subtype", subtype + 1);
  if (strncmp(type, "fuseblk", 7) == 0) m.add(",blkdev");
  if (flags & MS_RDONLY) m.add(",ro");
  m.add('\0');
  add_place(m, target);
  int fd = -1;
  const int error = ask(m, fd);
  if (fd >= 0) close(fd);
  errno = error != 0 ? error : errno;
  return error != 0 ? -1 : 0;
}

int umount(const char* target) noexcept {
  static const auto real = next_of(&umount, "umount");
  return unmounted_by_us(target) ? 0 : real(target);
}

int umount2(const char* target, int flags) noexcept {
  static const auto real = next_of(&umount2, "umount2");
  return unmounted_by_us(target) ? 0 : real(target, flags);
}

int fsopen(const char* type, unsigned flags) noexcept {
  static const auto real = next_of(&fsopen, "fsopen");
  if (real && !is_fuse_type(type)) return real(type, flags);
  errno = ENOSYS;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list more;
  va_start(more, request);
  void* argument = va_arg(more, void*);
  va_end(more);
  struct stat st {};
  if (request == kCloneDevice && argument && folder() && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
    uint32_t master = 0;
    memcpy(&master, argument, sizeof master);
    // A message goes to one reader, whichever descriptor it reads by: the device is its own clone.
    return dup3(static_cast<int>(master), fd, O_CLOEXEC) < 0 ? -1 : 0;
  }
  static const auto real = next_of(&ioctl, "ioctl");
  return real(fd, request, argument);
}

// No splicing: syscalls.h says why.
#define ISTHMUS_FCNTL(name)                         \
  int name(int fd, int command, ...) {              \
    va_list more;                                   \
    va_start(more, command);                        \
    void* argument = va_arg(more, void*);           \
    va_end(more);                                   \
    if (command == F_SETPIPE_SZ && folder()) {      \
      errno = EPERM;                                \
      return -1;                                    \
    }                                               \
    static const auto real = next_of(&name, #name); \
    return real(fd, command, argument);             \
  }
ISTHMUS_FCNTL(fcntl)
ISTHMUS_FCNTL(fcntl64)

int execve(const char* path, char* const argv[], char* const environment[]) noexcept {
  if (is_hidden(path)) {
    errno = ENOENT;
    return -1;
  }
  static const auto real = next_of(&execve, "execve");
  return real(path, argv, environment);
}

int execv(const char* path, char* const argv[]) noexcept {
  if (is_hidden(path)) {
    errno = ENOENT;
    return -1;
  }
  static const auto real = next_of(&execv, "execv");
  return real(path, argv);
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* how,
                char* const argv[], char* const environment[]) {
  static const auto real = next_of(&posix_spawn, "posix_spawn");
  return is_hidden(path) ? ENOENT : real(pid, path, actions, how, argv, environment);
}

}  // extern "C"
#pragma GCC visibility pop
