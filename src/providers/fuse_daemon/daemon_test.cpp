#include "providers/fuse_daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/clock.h"
#include "providers/fuse_daemon/device.h"
#include "providers/fuse_daemon/fusermount.h"
#include "providers/fuse_daemon/message.h"
#include "providers/fuse_daemon/process.h"

namespace isthmus::fuse_daemon {
namespace {

constexpr const char* kRole = "FUSE_DAEMON_TEST_ROLE";
constexpr int kPatienceMs = 60'000;

// The daemons: this program again.

[[noreturn]] void bad(int status, const char* what) {
  dprintf(2, "%s: %s\n", what, strerror(errno));
  _exit(status);
}

/// Answers each message with itself, until the kernel has gone.
[[noreturn]] void serve(int device) {
  char room[4096];
  ssize_t n = 0;
  while ((n = read(device, room, sizeof room)) > 0)
    if (write(device, room, static_cast<size_t>(n)) != n) bad(20, "write");
  _exit(0);
}

int open_and_mount(const char* place) {
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) bad(10, "open");
  if (syscall(SYS_fsopen, "fuse", 0) >= 0 || errno != ENOSYS) bad(11, "fsopen");
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=4096", device);
  if (mount("what", place, "fuse.test", MS_NOSUID | MS_RDONLY, options) < 0) bad(12, "mount");
  return device;
}

[[noreturn]] void by_fusermount(const char* place, bool filtered) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) bad(13, "socketpair");
  const pid_t helper = fork();
  if (helper == 0) {
    close(pair[0]);
    setenv("_FUSE_COMMFD", std::to_string(pair[1]).c_str(), 1);
    // As libfuse does: the file that was there when it was built, then by the name alone.
    if (filtered) {
      execl("/usr/bin/fusermount3", "fusermount3", "-o", "fsname=a\\,b,subtype=c", "--", place, nullptr);
      if (errno != ENOENT) bad(14, "the system's fusermount3");
    }
    execlp("fusermount3", "fusermount3", "-o", "fsname=a\\,b,subtype=c", "--", place, nullptr);
    bad(15, "exec");
  }
  close(pair[1]);
  Message m = receive_message(pair[0]);
  if (!m.fd) bad(16, "no device");
  serve(m.fd.release());
}

[[noreturn]] void clones(const char* place) {
  const int first = open_and_mount(place);
  char room[4096];
  ssize_t n = read(first, room, sizeof room);
  if (n <= 0 || write(first, room, static_cast<size_t>(n)) != n) bad(17, "the first");
  // The host says "go on" by a second message: it has let its copy go by then.
  if (read(first, room, sizeof room) <= 0) bad(17, "the second");
  const int second = open("/dev/fuse", O_RDWR);
  uint32_t master = static_cast<uint32_t>(first);
  if (second < 0 || ioctl(second, kCloneDevice, &master) != 0) bad(18, "clone");
  close(first);
  if (write(second, "cloned", 6) != 6) bad(19, "write");
  serve(second);
}

void act(const std::string& role, const char* place) {
  if (role == "serves") serve(open_and_mount(place));
  if (role == "filtered fusermount" || role == "fusermount") by_fusermount(place, role != "fusermount");
  if (role == "clones") clones(place);
  if (role == "preloaded") {
    if (fsopen("fuse", 0) >= 0 || errno != ENOSYS) bad(28, "fsopen");
    const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0 || !(fcntl(device, F_GETFD) & FD_CLOEXEC)) bad(10, "open");
    char options[100];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=4096", device);
    if (mount("a,b", place, "fuse.test", MS_NOSUID | MS_RDONLY, options) < 0) bad(12, "mount");
    if (mount("what", place, "fuse", 0, "fd=0") == 0 || errno != EPERM) bad(22, "mount again");
    char room[4096];
    ssize_t n = read(device, room, sizeof room);
    if (n <= 0 || write(device, room, static_cast<size_t>(n)) != n) bad(17, "the first");
    if (read(device, room, sizeof room) <= 0) bad(17, "the second");
    // It serves: what is opened now is at its end, until it is a clone.
    const int second = openat(AT_FDCWD, "/dev/fuse", O_RDWR);
    uint32_t master = static_cast<uint32_t>(device);
    if (second < 0 || read(second, room, sizeof room) != 0) bad(18, "open again");
    if (ioctl(second, kCloneDevice, &master) != 0) bad(18, "clone");
    close(device);
    if (umount2(place, 0) < 0) bad(23, "umount");
    if (umount("/nowhere/at/all") == 0) bad(24, "umount of nothing");
    if (open("/dev/cuse", O_RDWR) >= 0 || errno != EBUSY) bad(29, "cuse");
    const int other = open("/dev/null", O_RDWR);
    if (other < 0 || write(other, "x", 1) != 1) bad(30, "another file");
    char name[] = "fusermount3";
    char* words[] = {name, nullptr};
    if (execv("/usr/bin/fusermount3", words) == 0 || errno != ENOENT) bad(31, "the system's fusermount3");
    serve(second);
  }
  if (role == "cuse") {
    const int device = open("/dev/cuse", O_RDWR | O_CLOEXEC);
    if (device < 0) bad(10, "open");
    if (open("/dev/cuse", O_RDWR) >= 0 || errno != EBUSY) bad(29, "open again");
    serve(device);
  }
  if (role == "keeps a file") {
    const char* temporary = getenv("TMPDIR");
    if (!temporary || chdir(temporary) < 0) bad(32, "TMPDIR");
    if (::mkdir("folder", 0700) < 0 || ::open("folder/file", O_WRONLY | O_CREAT, 0600) < 0) bad(33, "a file");
    serve(open_and_mount(place));
  }
  if (role == "dies") bad(7, "no such host");
  if (role == "background") {
    const int device = open_and_mount(place);
    if (fork() > 0) _exit(0);
    setsid();
    serve(device);
  }
  if (role == "fd") {
    int device = -1;
    if (sscanf(place, "/dev/fd/%d", &device) != 1) bad(21, place);
    serve(device);
  }
  if (role == "second mount") {
    const int device = open_and_mount(place);
    if (mount("what", place, "fuse", 0, "fd=0") == 0 || errno != EPERM) bad(22, "mount again");
    if (umount2(place, 0) < 0) bad(23, "umount");
    if (umount2("/nowhere", 0) == 0) bad(24, "umount of nothing");
    serve(device);
  }
  if (role == "hangs") {
    for (int s : {SIGTERM, SIGHUP, SIGINT}) signal(s, SIG_IGN);
    const int device = open_and_mount(place);
    char room[4096];
    const ssize_t n = read(device, room, sizeof room);
    if (n <= 0 || write(device, room, static_cast<size_t>(n)) != n) bad(25, "read");
    while (true) pause();
  }
  if (role == "confined") {
    const bool wrong = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || getsid(0) != getpid() || getpgrp() != getpid();
    if (wrong || getenv("_FUSE_COMMFD")) bad(26, "not confined");
    for (int i = 3; i < 1000; i++)
      if (fcntl(i, F_GETFD) >= 0) bad(27, "a descriptor is left");
    serve(open_and_mount(place));
  }
}

}  // namespace

/// Before main(), whose arguments glibc gives to constructors: this program is also its daemons, and their fusermount.
__attribute__((constructor)) static void act_first(int argc, char** argv, char**) {
  if (argc > 0 && is_fusermount(argv[0])) {
    const auto* path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
    _exit(fusermount_main(path, {argv + 1, argv + argc}));
  }
  if (const char* role = getenv(kRole)) act(role, argc > 1 ? argv[1] : "");
}

namespace {

class DaemonTest : public testing::Test {
 protected:
  void SetUp() override {
    if (auto works = seccomp_works(); !works) GTEST_SKIP() << works.problem().what;
    make_folders();
  }
  void make_folders() {
    folder_ = (std::filesystem::temp_directory_path() / "fuse_daemon-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    ASSERT_EQ(mkdir((folder_ + "/mnt").c_str(), 0700), 0);
  }
  void TearDown() override {
    device_.reset();
    daemon_.reset();
    EXPECT_TRUE(folder_.empty() || access(folder_.c_str(), F_OK) < 0) << "something is left in " << folder_;
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  Job job(const std::string& role) const {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    return {.file = self,
            .arguments = {"test daemon", std::string(kMountpoint)},
            .environment = {{kRole, role}},
            .folder = folder_,
            .temporary = temporary_,
            .mountpoint = folder_ + "/mnt",
            .fusermount = self,
            .preload = {}};
  }
  void start(const Job& j) {
    auto started = Daemon::start(j);
    ASSERT_TRUE(started) << started.problem().what;
    daemon_ = *started;
    device_ = daemon_->take_device();
  }
  /// Until it has mounted.
  void wait_for_mount() {
    for (const int64_t until = monotonic_ns() + kPatienceMs * int64_t{1'000'000}; !daemon_->mount();) {
      ASSERT_TRUE(daemon_->look(100)) << daemon_->last_words();
      ASSERT_LT(monotonic_ns(), until);
    }
  }
  std::string ask(const std::string& what) {
    EXPECT_TRUE(send_message(device_.get(), what, -1));
    pollfd p{device_.get(), POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, kPatienceMs), 1);
    return receive_message(device_.get()).text;
  }
  /// Whatever wrote the next message.
  void serves() {
    EXPECT_EQ(ask("hello"), "hello");
    ASSERT_TRUE(daemon_->serves(0));
  }
  /// Its side is closed, and by all who had it.
  /// In namespaces of its own. False: this machine has none for us; why_not_ says so.
  bool start_isolated(const std::string& role) {
    Job j = job(role);
    j.isolated = true;
    auto started = Daemon::start(j);
    if (!started && started.problem().code == err(EPERM)) {
      why_not_ = started.problem().what;
      return false;
    }
    EXPECT_TRUE(started) << started.problem().what;
    if (!started) return true;
    daemon_ = *started;
    device_ = daemon_->take_device();
    wait_for_mount();
    return true;
  }
  static void kill_warden() {
    int killed = 0;
    for (pid_t child : descendants(getpid()))
      if (name_of_process(child) == "isthmus-host") killed += kill(child, SIGKILL) == 0;
    EXPECT_GE(killed, 1);
  }
  void wait_for_end() {
    pollfd p{device_.get(), POLLIN, 0};
    ASSERT_EQ(poll(&p, 1, kPatienceMs), 1);
    EXPECT_TRUE(receive_message(device_.get()).over);
  }

  std::string folder_, temporary_, why_not_;
  std::shared_ptr<Daemon> daemon_;
  Fd device_;
};

/// Ways in for which no call is held up.
class UnfilteredDaemonTest : public DaemonTest {
 protected:
  void SetUp() override { make_folders(); }
  Job job_of(const std::string& role, WayIn way) const {
    Job j = job(role);
    j.way = way;
    j.preload = PRELOAD;
    j.environment.emplace_back("ASAN_OPTIONS", "verify_asan_link_order=0");
    return j;
  }
};

TEST_F(DaemonTest, MountsWithoutADeviceAndServes) {
  start(job("serves"));
  wait_for_mount();
  EXPECT_EQ(daemon_->mount()->target, folder_ + "/mnt");
  EXPECT_EQ(daemon_->mount()->subtype, "test");
  EXPECT_TRUE(daemon_->mount()->read_only);
  EXPECT_EQ(daemon_->mount()->max_read, 4096U);
  serves();
  device_.reset();
  EXPECT_EQ(daemon_->why_it_ended(), "ended with status 0");
}

TEST_F(DaemonTest, MountsByFusermount) {
  start(job("filtered fusermount"));
  wait_for_mount();
  EXPECT_EQ(daemon_->mount()->fsname, "a,b");
  EXPECT_EQ(daemon_->mount()->subtype, "c");
  EXPECT_EQ(access((folder_ + "/mnt/.go-fuse-epoll-hack").c_str(), F_OK), 0) << "what go-fuse looks for";
  serves();
}

TEST_F(UnfilteredDaemonTest, MountsByFusermountAlone) {
  start(job_of("fusermount", WayIn::fusermount));
  wait_for_mount();
  serves();
}

TEST_F(UnfilteredDaemonTest, AsksByALibraryInIt) {
  start(job_of("preloaded", WayIn::preload));
  wait_for_mount();
  EXPECT_EQ(daemon_->mount()->target, folder_ + "/mnt");
  EXPECT_EQ(daemon_->mount()->fsname, "a,b");
  EXPECT_EQ(daemon_->mount()->subtype, "test");
  EXPECT_TRUE(daemon_->mount()->read_only);
  EXPECT_EQ(daemon_->mount()->max_read, 4096U);
  serves();
  EXPECT_TRUE(send_message(device_.get(), "go on", -1));
  EXPECT_EQ(ask("by the clone"), "by the clone");
}

TEST_F(UnfilteredDaemonTest, AsksByALibraryForACharacterDevice) {
  start(job_of("cuse", WayIn::preload));
  wait_for_mount();
  EXPECT_TRUE(daemon_->mount()->character_device);
  serves();
}

TEST_F(DaemonTest, MakesACharacterDevice) {
  start(job("cuse"));
  wait_for_mount();
  EXPECT_TRUE(daemon_->mount()->character_device);
  serves();
}

TEST_F(DaemonTest, LeavesNothingInItsTemporaryFolder) {
  temporary_ = (std::filesystem::temp_directory_path() / "fuse_daemon-tmp-XXXXXX").string();
  ASSERT_NE(mkdtemp(temporary_.data()), nullptr);
  start(job("keeps a file"));
  wait_for_mount();
  EXPECT_EQ(access((temporary_ + "/folder/file").c_str(), F_OK), 0);
  serves();
  device_.reset();
  daemon_.reset();
  EXPECT_LT(access(temporary_.c_str(), F_OK), 0);
}

TEST_F(UnfilteredDaemonTest, HasItsDeviceAsMountpoint) {
  start(job_of("fd", WayIn::fd));
  serves();
}

TEST_F(DaemonTest, GoesToTheBackground) {
  start(job("background"));
  wait_for_mount();
  serves();
  while (!daemon_->status()) poll(nullptr, 0, 10);
  EXPECT_EQ(*daemon_->status(), 0);
  EXPECT_EQ(ask("still there"), "still there");
}

TEST_F(DaemonTest, ClonesItsDeviceWhileItServes) {
  start(job("clones"));
  wait_for_mount();
  serves();
  // The warden has let its copy go when it answers the next opening; until then that gets the device itself.
  EXPECT_EQ(ask("go on"), "cloned");
  EXPECT_EQ(ask("by the clone"), "by the clone");
}

TEST_F(DaemonTest, HasOneMount) {
  start(job("second mount"));
  wait_for_mount();
  serves();
}

TEST_F(DaemonTest, SaysWhyItDied) {
  start(job("dies"));
  while (daemon_->look(100)) {
  }
  ASSERT_TRUE(daemon_->status());
  EXPECT_EQ(how_it_ended(*daemon_->status()), "ended with status 7");
  EXPECT_THAT(daemon_->last_words(), testing::StartsWith("no such host: "));
}

TEST_F(DaemonTest, IsToldApartFromOthers) {
  setenv("_FUSE_COMMFD", "0", 1);
  Fd left(open("/dev/null", O_RDONLY));  // not close-on-exec
  start(job("confined"));
  unsetenv("_FUSE_COMMFD");
  wait_for_mount();
  serves();
}

TEST_F(DaemonTest, ThatIsNotThereIsSaid) {
  Job j = job("");
  j.file = "/nonexistent/daemon";
  auto started = Daemon::start(j);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.problem().code, err(ENOENT));
}

TEST_F(DaemonTest, IsKilledWhenItDoesNotEnd) {
  start(job("hangs"));
  wait_for_mount();
  serves();
  device_.reset();
  daemon_.reset();  // returns
}

TEST_F(DaemonTest, DiesWithItsWarden) {
  start(job("background"));
  wait_for_mount();
  serves();
  while (!daemon_->status()) poll(nullptr, 0, 10);
  kill_warden();
  wait_for_end();
}

// The numbers of its processes, which the warden tells, mean others here: our starter, mostly.
TEST_F(DaemonTest, InNamespacesOfItsOwnDiesWithItsWardenAlone) {
  if (!start_isolated("hangs")) GTEST_SKIP() << why_not_;
  ASSERT_TRUE(daemon_);
  kill_warden();
  wait_for_end();
}

TEST_F(DaemonTest, DiesWithItsHost) {
  // A host of its own, which is killed: what is left of it would keep its end of the pipe open.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd hear(ends[0]), held(ends[1]);
  const pid_t host = fork();
  if (host == 0) {
    start(job("hangs"));
    wait_for_mount();
    serves();
    static_cast<void>(!write(held.get(), "x", 1));
    while (true) pause();
  }
  held.reset();
  char c = 0;
  ASSERT_EQ(read(hear.get(), &c, 1), 1);
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  pollfd p{hear.get(), POLLIN, 0};
  ASSERT_EQ(poll(&p, 1, kPatienceMs), 1);
  for (int waited = 0; access(folder_.c_str(), F_OK) == 0 && waited < kPatienceMs; waited += 10) poll(nullptr, 0, 10);
}

TEST_F(DaemonTest, InNamespacesOfItsOwn) {
  if (!start_isolated("serves")) GTEST_SKIP() << why_not_;
  ASSERT_TRUE(daemon_);
  serves();
}

}  // namespace
}  // namespace isthmus::fuse_daemon
