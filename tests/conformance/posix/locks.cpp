// Byte range locks of processes and of open file descriptions: fcntl(2). flock(2) is in flock.cpp.
#include "tests/conformance/folder.h"

#include <sys/time.h>
#include <sys/wait.h>
#include <csignal>

namespace isthmus::conformance {
namespace {

class Locks : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (IsSkipped()) return;
    REQUIRE_TRAIT(locks);
    write_file("file", std::string(1000, 'x'));
  }
};

// SETLK and friends on `file`'s bytes [start, start + length); length 0 reaches to the end of all files.
int lock(const Fd& fd, int command, short type, off_t start, off_t length) {
  struct flock region {};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  region.l_start = start;
  region.l_len = length;
  return fcntl(fd.get(), command, &region);
}

struct flock blocker(const Fd& fd, int command, short type, off_t start, off_t length) {
  struct flock region {};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  region.l_start = start;
  region.l_len = length;
  EXPECT_OK(fcntl(fd.get(), command, &region));
  return region;
}

// Bytes of [0, size) that another process may not write-lock, as runs "first-last,".
std::string seen_by_others(off_t size) {
  std::string text(512, '\0');
  int pipe_fds[2];
  EXPECT_OK(pipe(pipe_fds));
  in_child([&] {
    const Fd fd = open_ok("file", O_RDWR);
    std::string runs;
    for (off_t at = 0; at < size;) {
      const struct flock found = blocker(fd, F_GETLK, F_WRLCK, at, size - at);
      if (found.l_type == F_UNLCK) break;
      runs += (found.l_type == F_RDLCK ? "r" : "w") + std::to_string(found.l_start) + "-";
      runs += found.l_len == 0 ? "end," : std::to_string(found.l_start + found.l_len - 1) + ",";
      if (found.l_len == 0) break;
      at = found.l_start + found.l_len;
    }
    EXPECT_EQ(write(pipe_fds[1], runs.data(), runs.size()), static_cast<ssize_t>(runs.size()));
  });
  close(pipe_fds[1]);
  const ssize_t got = read(pipe_fds[0], text.data(), text.size());
  close(pipe_fds[0]);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

TEST_F(Locks, ConflictsBetweenProcesses) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  ASSERT_OK(lock(fd, F_SETLK, F_RDLCK, 20, 10));
  const pid_t parent = getpid();
  in_child([parent] {
    const Fd mine = open_ok("file", O_RDWR);
    EXPECT_ERRNO(lock(mine, F_SETLK, F_WRLCK, 0, 1), EAGAIN, EACCES);
    EXPECT_ERRNO(lock(mine, F_SETLK, F_RDLCK, 9, 1), EAGAIN, EACCES);
    EXPECT_OK(lock(mine, F_SETLK, F_WRLCK, 10, 10));
    EXPECT_OK(lock(mine, F_SETLK, F_RDLCK, 20, 10));
    EXPECT_ERRNO(lock(mine, F_SETLK, F_WRLCK, 29, 1), EAGAIN, EACCES);
    EXPECT_ERRNO(lock(mine, F_SETLK, F_WRLCK, 0, 0), EAGAIN, EACCES);
    const struct flock found = blocker(mine, F_GETLK, F_RDLCK, 0, 100);
    EXPECT_EQ(found.l_type, F_WRLCK);
    EXPECT_EQ(found.l_pid, parent);
    EXPECT_EQ(found.l_whence, SEEK_SET);
    EXPECT_EQ(found.l_start, 0);
    EXPECT_EQ(found.l_len, 10);
    EXPECT_EQ(blocker(mine, F_GETLK, F_RDLCK, 10, 100).l_type, F_UNLCK);
  });
  EXPECT_EQ(blocker(fd, F_GETLK, F_WRLCK, 0, 0).l_type, F_UNLCK);  // one's own locks do not count
}

TEST_F(Locks, SplitMergeUpgradeDowngrade) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 100));
  EXPECT_EQ(seen_by_others(1000), "w0-99,");
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 40, 20));
  EXPECT_EQ(seen_by_others(1000), "w0-39,w60-99,");
  ASSERT_OK(lock(fd, F_SETLK, F_RDLCK, 70, 10));
  EXPECT_EQ(seen_by_others(1000), "w0-39,w60-69,r70-79,w80-99,");
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 30, 50));
  EXPECT_EQ(seen_by_others(1000), "w0-99,");
  ASSERT_OK(lock(fd, F_SETLK, F_RDLCK, 0, 0));
  EXPECT_EQ(seen_by_others(1000), "r0-end,");
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 10, 0));
  EXPECT_EQ(seen_by_others(1000), "r0-9,");
  ASSERT_OK(lock(fd, F_SETLK, F_RDLCK, 10, 5));  // neighbours of one type are one lock
  EXPECT_EQ(seen_by_others(1000), "r0-14,");
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  EXPECT_EQ(seen_by_others(1000), "");
}

TEST_F(Locks, WhenceAndNegativeLengths) {
  const Fd fd = open_ok("file", O_RDWR);
  struct flock region {};
  region.l_type = F_WRLCK;
  region.l_whence = SEEK_END;
  region.l_start = -10;
  region.l_len = 5;
  ASSERT_OK(fcntl(fd.get(), F_SETLK, &region));
  EXPECT_EQ(seen_by_others(2000), "w990-994,");
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 100, -10));
  EXPECT_EQ(seen_by_others(2000), "w90-99,");
  EXPECT_EQ(lseek(fd.get(), 50, SEEK_SET), 50);
  region.l_whence = SEEK_CUR;
  region.l_start = 5;
  ASSERT_OK(fcntl(fd.get(), F_SETLK, &region));
  EXPECT_EQ(seen_by_others(2000), "w55-59,w90-99,");
  EXPECT_ERRNO(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
  EXPECT_ERRNO(lock(fd, F_SETLK, F_WRLCK, 5, -6), EINVAL);
  EXPECT_ERRNO(lock(fd, F_SETLK, 17, 0, 1), EINVAL);
}

TEST_F(Locks, FarOffsets) {
  const Fd fd = open_ok("file", O_RDWR);
  constexpr off_t kMost = 0x7fffffffffffffffLL;
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, kMost - 10, 0));
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 1LL << 40, 1));
  in_child([=] {
    const Fd mine = open_ok("file", O_RDWR);
    EXPECT_ERRNO(lock(mine, F_SETLK, F_WRLCK, kMost, 1), EAGAIN, EACCES);
    EXPECT_ERRNO(lock(mine, F_SETLK, F_WRLCK, 1LL << 40, 1), EAGAIN, EACCES);
    EXPECT_OK(lock(mine, F_SETLK, F_WRLCK, (1LL << 40) + 1, 1));
    EXPECT_EQ(blocker(mine, F_GETLK, F_WRLCK, kMost - 10, 0).l_len, 0);
  });
}

TEST_F(Locks, NeedTheRightDescriptor) {
  const Fd reader = open_ok("file", O_RDONLY);
  const Fd writer = open_ok("file", O_WRONLY);
  EXPECT_ERRNO(lock(reader, F_SETLK, F_WRLCK, 0, 1), EBADF);
  EXPECT_ERRNO(lock(writer, F_SETLK, F_RDLCK, 0, 1), EBADF);
  EXPECT_OK(lock(reader, F_SETLK, F_RDLCK, 0, 1));
  EXPECT_OK(lock(writer, F_SETLK, F_WRLCK, 0, 1));
}

TEST_F(Locks, AnyCloseOfTheFileReleasesTheProcessLocks) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  EXPECT_EQ(seen_by_others(100), "w0-9,");
  open_ok("file", O_RDONLY).reset();
  EXPECT_EQ(seen_by_others(100), "");
}

TEST_F(Locks, ReleasedWhenTheProcessEndsOrIsKilled) {
  for (const bool killed : {false, true}) {
    const Gate locked;
    const Gate leave;
    Child holder([&] {
      const Fd fd = open_ok("file", O_RDWR);
      ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
      locked.open();
      leave.wait();
    });
    ASSERT_TRUE(locked.wait());
    EXPECT_EQ(seen_by_others(100), "w0-9,");
    if (killed) {
      kill(holder.pid(), SIGKILL);
      ASSERT_OK(waitid(P_PID, static_cast<id_t>(holder.pid()), nullptr, WEXITED | WNOWAIT) == 0 ? 0 : -1);
    } else {
      leave.open();
      holder.join();
    }
    EXPECT_EQ(seen_by_others(100), "");
  }
}

TEST_F(Locks, NotInheritedByFork) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  in_child([&] { EXPECT_ERRNO(lock(fd, F_SETLK, F_WRLCK, 0, 10), EAGAIN, EACCES); });
  EXPECT_EQ(seen_by_others(100), "w0-9,");
}

TEST_F(Locks, WaitingGetsTheLockWhenItIsFree) {
  const Gate locked;
  const Gate waiting;
  Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  Child waiter([&] {
    const Fd mine = open_ok("file", O_RDWR);
    waiting.open();
    EXPECT_OK(lock(mine, F_SETLKW, F_WRLCK, 5, 10));
    locked.open();
  });
  ASSERT_TRUE(waiting.wait());
  usleep(50'000);  // only makes it likely that it waits; the outcome is the same if it does not yet
  EXPECT_EQ(lstat_of("file").st_size, 1000);  // a waiter does not block other calls
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 0, 10));
  EXPECT_TRUE(locked.wait());
  waiter.join();
}

TEST_F(Locks, WaitingIsInterruptedBySignals) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    const Fd mine = open_ok("file", O_RDWR);
    const itimerval soon{{0, 50'000}, {0, 50'000}};  // repeats, should the first come too early
    setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_ERRNO(lock(mine, F_SETLKW, F_WRLCK, 0, 10), EINTR);
    EXPECT_ERRNO(lock(mine, F_SETLKW, F_RDLCK, 5, 0), EINTR);
    const itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);
    EXPECT_OK(lock(mine, F_SETLK, F_WRLCK, 100, 10));  // the descriptor is as good as before
  });
  EXPECT_EQ(seen_by_others(1000), "w0-9,");
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  EXPECT_EQ(seen_by_others(1000), "");  // the interrupted waiter got nothing afterwards
}

TEST_F(Locks, KilledWaiterGetsNothing) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  {
    const Gate waiting;
    Child waiter([&] {
      const Fd mine = open_ok("file", O_RDWR);
      waiting.open();
      lock(mine, F_SETLKW, F_WRLCK, 0, 10);
    });
    ASSERT_TRUE(waiting.wait());
    usleep(20'000);
  }  // killed and collected
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  EXPECT_EQ(seen_by_others(100), "");
}

TEST_F(Locks, Deadlock) {
  const Fd fd = open_ok("file", O_RDWR);
  const Gate ready;
  ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
  Child other([&] {
    const Fd mine = open_ok("file", O_RDWR);
    ASSERT_OK(lock(mine, F_SETLK, F_WRLCK, 1, 1));
    ready.open();
    // One of the two is refused, whichever asks last.
    const int got = lock(mine, F_SETLKW, F_WRLCK, 0, 1);
    EXPECT_TRUE(got == 0 || errno == EDEADLK) << error_name(errno);
    ASSERT_OK(lock(mine, F_SETLK, F_UNLCK, 0, 0));
  });
  ASSERT_TRUE(ready.wait());
  usleep(20'000);
  const int got = lock(fd, F_SETLKW, F_WRLCK, 1, 1);
  EXPECT_TRUE(got == 0 || errno == EDEADLK) << error_name(errno);
  ASSERT_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  other.join();
}

TEST_F(Locks, OpenFileDescriptionLocks) {
  REQUIRE_TRAIT(ofd_locks);
  const Fd one = open_ok("file", O_RDWR);
  const Fd two = open_ok("file", O_RDWR);
  ASSERT_OK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 10));
  EXPECT_ERRNO(lock(two, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
  EXPECT_ERRNO(lock(two, F_SETLK, F_WRLCK, 5, 1), EAGAIN, EACCES);
  EXPECT_OK(lock(two, F_OFD_SETLK, F_WRLCK, 10, 1));
  const struct flock found = blocker(two, F_OFD_GETLK, F_WRLCK, 0, 5);
  EXPECT_EQ(found.l_type, F_WRLCK);
  EXPECT_EQ(found.l_pid, -1);
  EXPECT_EQ(found.l_len, 10);
  open_ok("file", O_RDONLY).reset();  // no process lock: stays
  EXPECT_ERRNO(lock(two, F_OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);
  Fd copy(dup(one.get()));
  in_child([&] { EXPECT_OK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 5)); });  // inherited
  EXPECT_ERRNO(lock(two, F_OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);
  copy.reset();
  EXPECT_ERRNO(lock(two, F_OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);  // one descriptor is left
  ASSERT_OK(lock(one, F_OFD_SETLK, F_RDLCK, 0, 10));
  EXPECT_OK(lock(two, F_OFD_SETLK, F_RDLCK, 0, 1));
  EXPECT_ERRNO(lock(one, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
}

TEST_F(Locks, OpenFileDescriptionLocksGoWithTheLastClose) {
  REQUIRE_TRAIT(ofd_locks);
  Fd one = open_ok("file", O_RDWR);
  const Fd two = open_ok("file", O_RDWR);
  Fd copy(dup(one.get()));
  ASSERT_OK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 0));
  one.reset();
  EXPECT_ERRNO(lock(two, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
  copy.reset();
  EXPECT_OK(lock(two, F_OFD_SETLK, F_WRLCK, 0, 1));
}

TEST_F(Locks, ManyRanges) {
  const Fd fd = open_ok("file", O_RDWR);
  for (int i = 0; i < 500; ++i) ASSERT_OK(lock(fd, F_SETLK, F_WRLCK, off_t{i} * 2, 1));
  in_child([] {
    const Fd mine = open_ok("file", O_RDWR);
    for (int i = 0; i < 500; ++i) {
      ASSERT_OK(lock(mine, F_SETLK, F_WRLCK, i * 2 + 1, 1));
      ASSERT_EQ(lock(mine, F_SETLK, F_RDLCK, off_t{i} * 2, 1), -1);
    }
  });
}

}  // namespace
}  // namespace isthmus::conformance
