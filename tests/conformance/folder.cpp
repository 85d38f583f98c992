#include "tests/conformance/folder.h"

#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace isthmus::conformance {
namespace {

unsigned test_seconds() { return 60 * static_cast<unsigned>(options().patience); }
unsigned child_seconds() { return 2 * test_seconds(); }
char watchdog_text[256];
volatile std::sig_atomic_t watchdog_rounds = 0;

// The first alarm interrupts the system call the test hangs in, so that the test fails by itself; the second ends the
// program.
void watchdog(int) {
  watchdog_rounds = watchdog_rounds + 1;
  if (watchdog_rounds == 1) {
    alarm(20);
    return;
  }
  if (write(STDERR_FILENO, watchdog_text, strlen(watchdog_text)) < 0) _exit(4);
  _exit(3);
}

void start_watchdog() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  snprintf(watchdog_text, sizeof watchdog_text, "\n[  FAILED  ] %s.%s (hangs; the other tests were not run)\n",
           info->test_suite_name(), info->name());
  watchdog_rounds = 0;
  struct sigaction action {};
  action.sa_handler = watchdog;  // no SA_RESTART
  sigaction(SIGALRM, &action, nullptr);
  alarm(test_seconds());
}

int failures() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  if (info == nullptr) return 0;
  int count = 0;
  for (int i = 0; i < info->result()->total_part_count(); ++i)
    count += info->result()->GetTestPartResult(i).failed() ? 1 : 0;
  return count;
}

pid_t fork_child(const std::function<void()>& body) {
  fflush(nullptr);
  const int before = failures();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, SIG_DFL);
    alarm(test_seconds() / 2);
    body();
    fflush(nullptr);
    _exit(failures() > before ? 1 : 0);
  }
  if (pid < 0) ADD_FAILURE() << "fork: " << error_name(errno);
  return pid;
}

void remove_at(int dir, const char* name, int depth) {
  if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return;
  unlinkat(dir, name, AT_REMOVEDIR);
  const int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  std::vector<std::string> names;
  if (DIR* stream = fdopendir(dup(fd))) {
    while (const dirent* entry = readdir(stream)) {
      if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) names.emplace_back(entry->d_name);
    }
    closedir(stream);
  }
  if (depth < 2000) {
    for (const auto& child : names) remove_at(fd, child.c_str(), depth + 1);
  }
  close(fd);
  unlinkat(dir, name, AT_REMOVEDIR);
}

}  // namespace

Options& options() {
  static Options instance;
  return instance;
}

void FolderTest::SetUp() {
  if (options().traits.read_only) GTEST_SKIP() << "trait read_only is on";
  static int number = 0;
  start_watchdog();
  umask(022);
  root_ = options().dir + "/conformance." + std::to_string(getpid()) + "." + std::to_string(number++);
  ASSERT_OK(mkdir(root_.c_str(), 0777));
  ASSERT_OK(chmod(root_.c_str(), 0777));
  ASSERT_OK(chdir(root_.c_str()));
}

void FolderTest::TearDown() {
  alarm(test_seconds());
  if (chdir("/") != 0) ADD_FAILURE() << "chdir /: " << error_name(errno);
  if (!root_.empty()) remove_tree(root_);
  alarm(0);
}

std::string error_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

::testing::AssertionResult succeeded(const char* call, bool failed, int error) {
  if (!failed) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << call << "\n  expected: success\n  got: " << error_name(error) << " ("
                                       << strerror(error) << ")";
}

::testing::AssertionResult failed_with(const char* call, bool failed, int error, std::initializer_list<int> wanted) {
  if (failed && std::find(wanted.begin(), wanted.end(), error) != wanted.end()) return ::testing::AssertionSuccess();
  auto result = ::testing::AssertionFailure() << call << "\n  expected: ";
  const char* separator = "";
  for (const int each : wanted) {
    result << separator << error_name(each);
    separator = " or ";
  }
  result << "\n  got: ";
  if (failed) return result << error_name(error) << " (" << strerror(error) << ")";
  return result << "success";
}

Fd open_ok(const std::string& path, int flags, mode_t mode) {
  Fd fd(open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd)
    ADD_FAILURE() << "open(\"" << path << "\", 0" << std::oct << flags << ", 0" << mode << "): " << error_name(errno);
  return fd;
}

void write_all(int fd, std::string_view content, off_t offset) {
  while (!content.empty()) {
    const ssize_t done = pwrite(fd, content.data(), content.size(), offset);
    if (done <= 0) {
      ADD_FAILURE() << "pwrite of " << content.size() << " bytes at " << offset << ": "
                    << (done < 0 ? error_name(errno) : "0");
      return;
    }
    content.remove_prefix(static_cast<std::size_t>(done));
    offset += done;
  }
}

void write_file(const std::string& path, std::string_view content, mode_t mode) {
  const Fd fd = open_ok(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (fd) write_all(fd.get(), content, 0);
}

std::string read_all(int fd) {
  std::string content;
  char buffer[65536];
  for (;;) {
    const ssize_t done = pread(fd, buffer, sizeof buffer, static_cast<off_t>(content.size()));
    if (done < 0) ADD_FAILURE() << "pread: " << error_name(errno);
    if (done <= 0) return content;
    content.append(buffer, static_cast<std::size_t>(done));
  }
}

std::string read_file(const std::string& path) {
  const Fd fd = open_ok(path, O_RDONLY);
  return fd ? read_all(fd.get()) : std::string();
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 8 == 0) state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    text[i] = static_cast<char>(state >> (i % 8 * 8));
  }
  return text;
}

struct stat lstat_of(const std::string& path) {
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0) ADD_FAILURE() << "lstat(\"" << path << "\"): " << error_name(errno);
  return about;
}

struct stat stat_of(int fd) {
  struct stat about {};
  if (fstat(fd, &about) != 0) ADD_FAILURE() << "fstat(" << fd << "): " << error_name(errno);
  return about;
}

bool exists(const std::string& path) {
  struct stat about {};
  return lstat(path.c_str(), &about) == 0;
}

mode_t mode_of(const std::string& path) { return lstat_of(path).st_mode & 07777; }

std::vector<std::string> names_of(const std::string& dir) {
  std::vector<std::string> names;
  DIR* stream = opendir(dir.c_str());
  if (stream == nullptr) {
    ADD_FAILURE() << "opendir(\"" << dir << "\"): " << error_name(errno);
    return names;
  }
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

void remove_tree(const std::string& path) { remove_at(AT_FDCWD, path.c_str(), 0); }

void wait_tick() {
  const std::string scratch = ".tick";
  const Fd fd = open_ok(scratch, O_RDWR | O_CREAT | O_TRUNC);
  if (!fd) return;
  fchmod(fd.get(), 0600);
  const auto first = ns_of(stat_of(fd.get()).st_ctim);
  // The kernel's coarse clock steps every 1 to 10 ms; file systems with coarser times need up to two seconds.
  for (int round = 0; round < 3000; ++round) {
    usleep(1000);
    fchmod(fd.get(), round % 2 == 0 ? 0644 : 0600);
    if (ns_of(stat_of(fd.get()).st_ctim) > first) {
      unlink(scratch.c_str());
      return;
    }
  }
  ADD_FAILURE() << "the status change time of a file does not advance";
}

void become(const User& user) {
  ASSERT_OK(setgroups(user.groups.size(), user.groups.data()));
  ASSERT_OK(setresgid(user.gid, user.gid, user.gid));
  ASSERT_OK(setresuid(user.uid, user.uid, user.uid));
  prctl(PR_SET_DUMPABLE, 1);  // or /proc/self/fd would belong to root
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void in_child(const std::function<void()>& body) {
  Child child(body);
  child.join();
}

void as_user(const User& user, const std::function<void()>& body) {
  const std::string what = "child as user " + std::to_string(user.uid);
  Child child(
      [&] {
        become(user);
        body();
      },
      what.c_str());
  child.join();
}

Child::Child(const std::function<void()>& body, const char* what) : pid_(fork_child(body)), what_(what) {}

Child::~Child() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::join() {
  if (pid_ <= 0) return;
  int status = 0;
  const time_t start = time(nullptr);
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR || time(nullptr) > start + static_cast<time_t>(child_seconds())) {
      ADD_FAILURE() << what_ << " does not end: " << error_name(errno);
      return;
    }
    kill(pid_, SIGKILL);
  }
  pid_ = -1;
  if (WIFSIGNALED(status)) {
    ADD_FAILURE() << what_ << " was ended by SIG" << sigabbrev_np(WTERMSIG(status))
                  << (WTERMSIG(status) == SIGALRM ? " (it hung)" : "");
  } else if (WEXITSTATUS(status) != 0) {
    ADD_FAILURE() << what_ << " failed (exit status " << WEXITSTATUS(status) << "), see above";
  }
}

Gate::Gate() {
  if (pipe2(fds_, O_CLOEXEC) != 0) ADD_FAILURE() << "pipe: " << error_name(errno);
}

Gate::~Gate() {
  close(fds_[0]);
  close(fds_[1]);
}

void Gate::open() const {
  const char byte = 'o';
  if (write(fds_[1], &byte, 1) != 1) ADD_FAILURE() << "gate: " << error_name(errno);
}

bool Gate::wait(int seconds) const {
  pollfd ready{fds_[0], POLLIN, 0};
  char byte = 0;
  if (poll(&ready, 1, seconds * 1000 * options().patience) == 1 && read(fds_[0], &byte, 1) == 1) return true;
  ADD_FAILURE() << "the other process did not get there";
  return false;
}

}  // namespace isthmus::conformance
