// Helpers of the tests that look at a folder through system calls only.
#pragma once
#include "tests/conformance/traits.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace isthmus::conformance {

struct Options {
  std::string dir;     // absolute; the tests make their folders in it
  std::string expect;  // native folder with the same content (read-only file systems), or empty
  std::string small;   // a folder on a file system of at most a few MiB, or empty
  std::string native;  // a native folder (for copies between file systems), default /tmp
  int patience = 1;    // all time limits are this many times longer: for machines that are emulated
  int threads = 8;     // that work at the same time where a test has several do the same
  Traits traits;
};
Options& options();

// Owner of a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  // The error of close(2) is lost; tests that care call close(fd.release()).
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int release() { return std::exchange(fd_, -1); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct User {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;  // supplementary
};
// Ids that no machine uses. Alice and Bob share kTeam; Carol is in nothing.
inline constexpr gid_t kTeam = 20001;
inline const User kAlice{10001, 10001, {kTeam}};
inline const User kBob{10002, 10002, {kTeam, 20002}};
inline const User kCarol{10003, 10003, {}};

// Each test runs in a fresh folder (mode 0777) of options().dir, which is the working directory and is removed
// afterwards, also after failures. umask is 022. A test that takes longer than a minute is interrupted, then ended with
// its name.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  const std::string& root() const { return root_; }  // absolute path of the test's folder

 private:
  std::string root_;
};

// ---- expectations. `call` must be a system call or anything that says -1 (or MAP_FAILED or a null pointer) and sets
// errno.

std::string error_name(int error);
::testing::AssertionResult succeeded(const char* call, bool failed, int error);
::testing::AssertionResult failed_with(const char* call, bool failed, int error, std::initializer_list<int> wanted);
template <class T>
bool is_failure(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return value == nullptr || reinterpret_cast<intptr_t>(value) == -1;
  } else {
    return value == static_cast<T>(-1);
  }
}
template <class T>
::testing::AssertionResult succeeded(const char* call, T value) {
  const int error = errno;
  return succeeded(call, is_failure(value), error);
}
template <class T>
::testing::AssertionResult failed_with(const char* call, T value, std::initializer_list<int> wanted) {
  const int error = errno;
  return failed_with(call, is_failure(value), error, wanted);
}
#define EXPECT_OK(call) EXPECT_TRUE(::isthmus::conformance::succeeded(#call, (call)))
#define ASSERT_OK(call) ASSERT_TRUE(::isthmus::conformance::succeeded(#call, (call)))
// One or several permitted errors: EXPECT_ERRNO(rmdir("d"), ENOTEMPTY, EEXIST)
#define EXPECT_ERRNO(call, ...) EXPECT_TRUE(::isthmus::conformance::failed_with(#call, (call), {__VA_ARGS__}))

#define REQUIRE_TRAIT(name)                                                                       \
  do {                                                                                            \
    if (!::isthmus::conformance::options().traits.name) GTEST_SKIP() << "trait " #name " is off"; \
  } while (false)

// ---- files. These fail the test when they do not work, and go on.

Fd open_ok(const std::string& path, int flags, mode_t mode = 0644);
void write_file(const std::string& path, std::string_view content, mode_t mode = 0644);  // made or replaced
std::string read_file(const std::string& path);
std::string read_all(int fd);  // by pread from 0
void write_all(int fd, std::string_view content, off_t offset);
std::string pattern(std::size_t size, unsigned seed);  // bytes that differ from place to place, and by seed
struct stat lstat_of(const std::string& path);
struct stat stat_of(int fd);
bool exists(const std::string& path);     // any type, links are not followed
mode_t mode_of(const std::string& path);  // permission bits with set-id and sticky, links are not followed
std::vector<std::string> names_of(const std::string& dir);  // sorted, without . and ..
std::string fd_path(int fd);                                // /proc/self/fd/N
void remove_tree(const std::string& path);                  // as root, whatever it holds; never fails the test

// ---- times

inline std::int64_t ns_of(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }
inline std::int64_t atime_of(const std::string& path) { return ns_of(lstat_of(path).st_atim); }
inline std::int64_t mtime_of(const std::string& path) { return ns_of(lstat_of(path).st_mtim); }
inline std::int64_t ctime_of(const std::string& path) { return ns_of(lstat_of(path).st_ctim); }
// Returns once a change made from now on gets a later time than every change made before.
void wait_tick();

// ---- other processes. Expectations that fail in a child fail the test.

// Runs body in a child process and waits for it, two minutes at most. The child's exit status is that of _exit or 0.
void in_child(const std::function<void()>& body);
void as_user(const User& user, const std::function<void()>& body);
void become(const User& user);  // in a child

// A child that runs beside the test.
class Child {
 public:
  explicit Child(const std::function<void()>& body, const char* what = "child");
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();     // kills it if it was not joined
  void join();  // waits; fails the test if the child failed
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  const char* what_;
};

// Lets one process wait for another: open() lets one wait() of the other side through.
class Gate {
 public:
  Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();
  void open() const;
  bool wait(int seconds = 30) const;  // false (and a failed test) when the time is over

 private:
  int fds_[2] = {-1, -1};
};

}  // namespace isthmus::conformance
