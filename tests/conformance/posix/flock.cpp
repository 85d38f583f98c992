// flock(2).
#include "tests/conformance/folder.h"

#include <sys/file.h>
#include <sys/time.h>
#include <csignal>

namespace isthmus::conformance {
namespace {

class Flock : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (IsSkipped()) return;
    REQUIRE_TRAIT(flock);
    write_file("file", "x");
  }
};

TEST_F(Flock, SharedAndExclusive) {
  const Fd one = open_ok("file", O_RDONLY);
  const Fd two = open_ok("file", O_RDONLY);
  const Fd three = open_ok("file", O_WRONLY);
  ASSERT_OK(flock(one.get(), LOCK_SH));
  EXPECT_OK(flock(two.get(), LOCK_SH | LOCK_NB));
  EXPECT_ERRNO(flock(three.get(), LOCK_EX | LOCK_NB), EWOULDBLOCK);
  ASSERT_OK(flock(one.get(), LOCK_UN));
  ASSERT_OK(flock(two.get(), LOCK_EX | LOCK_NB));  // the only holder may convert
  EXPECT_ERRNO(flock(one.get(), LOCK_SH | LOCK_NB), EWOULDBLOCK);
  ASSERT_OK(flock(two.get(), LOCK_SH));
  EXPECT_OK(flock(one.get(), LOCK_SH | LOCK_NB));
  EXPECT_OK(flock(three.get(), LOCK_UN));
  EXPECT_ERRNO(flock(one.get(), 0), EINVAL);
}

TEST_F(Flock, BelongsToTheOpenFileDescription) {
  Fd one = open_ok("file", O_RDWR);
  const Fd two = open_ok("file", O_RDWR);
  Fd copy(dup(one.get()));
  ASSERT_OK(flock(one.get(), LOCK_EX));
  EXPECT_OK(flock(copy.get(), LOCK_EX | LOCK_NB));
  one.reset();
  EXPECT_ERRNO(flock(two.get(), LOCK_EX | LOCK_NB), EWOULDBLOCK);
  in_child([&] { EXPECT_ERRNO(flock(two.get(), LOCK_SH | LOCK_NB), EWOULDBLOCK); });
  EXPECT_ERRNO(flock(two.get(), LOCK_EX | LOCK_NB), EWOULDBLOCK);
  copy.reset();
  // A file system in user space hears of the last close a moment after it: so wait, at most as long as a child may.
  in_child([&] { EXPECT_OK(flock(two.get(), LOCK_EX)); });
}

TEST_F(Flock, ChildUnlocksForTheParent) {
  const Fd one = open_ok("file", O_RDWR);
  const Fd two = open_ok("file", O_RDWR);
  ASSERT_OK(flock(one.get(), LOCK_EX));
  in_child([&] { EXPECT_OK(flock(one.get(), LOCK_UN)); });
  EXPECT_OK(flock(two.get(), LOCK_EX | LOCK_NB));
}

TEST_F(Flock, WaitsUntilFree) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(flock(fd.get(), LOCK_EX));
  const Gate waiting;
  const Gate locked;
  Child waiter([&] {
    const Fd mine = open_ok("file", O_RDWR);
    waiting.open();
    EXPECT_OK(flock(mine.get(), LOCK_EX));
    locked.open();
  });
  ASSERT_TRUE(waiting.wait());
  usleep(50'000);
  EXPECT_EQ(read_file("file"), "x");
  ASSERT_OK(flock(fd.get(), LOCK_UN));
  EXPECT_TRUE(locked.wait());
  waiter.join();
}

TEST_F(Flock, InterruptedBySignals) {
  const Fd fd = open_ok("file", O_RDWR);
  ASSERT_OK(flock(fd.get(), LOCK_EX));
  in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    const Fd mine = open_ok("file", O_RDWR);
    const itimerval soon{{0, 50'000}, {0, 50'000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_ERRNO(flock(mine.get(), LOCK_EX), EINTR);
    const itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);
  });
  ASSERT_OK(flock(fd.get(), LOCK_UN));
  const Fd other = open_ok("file", O_RDWR);
  EXPECT_OK(flock(other.get(), LOCK_EX | LOCK_NB));
}

TEST_F(Flock, KilledHolderReleases) {
  {
    const Gate locked;
    Child holder([&] {
      const Fd fd = open_ok("file", O_RDWR);
      ASSERT_OK(flock(fd.get(), LOCK_EX));
      locked.open();
      pause();
    });
    ASSERT_TRUE(locked.wait());
    const Fd fd = open_ok("file", O_RDWR);
    EXPECT_ERRNO(flock(fd.get(), LOCK_SH | LOCK_NB), EWOULDBLOCK);
  }
  const Fd fd = open_ok("file", O_RDWR);
  // A file system in user space hears of the close a moment after the holder is gone.
  in_child([&] { EXPECT_OK(flock(fd.get(), LOCK_EX)); });
}

TEST_F(Flock, IndependentOfProcessLocks) {
  REQUIRE_TRAIT(locks);
  const Fd one = open_ok("file", O_RDWR);
  ASSERT_OK(flock(one.get(), LOCK_EX));
  in_child([] {
    const Fd mine = open_ok("file", O_RDWR);
    struct flock region {};
    region.l_type = F_WRLCK;
    region.l_whence = SEEK_SET;
    EXPECT_OK(fcntl(mine.get(), F_SETLK, &region));
  });
}

TEST_F(Flock, Directories) {
  ASSERT_OK(mkdir("dir", 0755));
  const Fd one = open_ok("dir", O_RDONLY | O_DIRECTORY);
  const Fd two = open_ok("dir", O_RDONLY | O_DIRECTORY);
  ASSERT_OK(flock(one.get(), LOCK_EX));
  EXPECT_ERRNO(flock(two.get(), LOCK_EX | LOCK_NB), EWOULDBLOCK);
}

}  // namespace
}  // namespace isthmus::conformance
