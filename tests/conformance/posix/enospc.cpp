// A full file system (--small=DIR): the error, what is kept, and that space comes back.
#include "tests/conformance/folder.h"

namespace isthmus::conformance {
namespace {

// A file system in user space hears of the last close of a file, and that its inode is forgotten, a moment later.
template <class F>
bool soon(F done) {
  for (int round = 0; round < 500; ++round, usleep(10'000))
    if (done()) return true;
  return false;
}
bool made_soon(const char* dir) {
  return soon([&] { return mkdir(dir, 0755) == 0 || errno != ENOSPC; }) && access(dir, F_OK) == 0;
}

class Full : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (IsSkipped()) return;
    if (options().small.empty()) GTEST_SKIP() << "--small is not given";
    place_ = options().small + "/conformance." + std::to_string(getpid());
    ASSERT_TRUE(made_soon(place_.c_str())) << error_name(errno);
    ASSERT_OK(chdir(place_.c_str()));
  }
  void TearDown() override {
    if (chdir("/") == 0 && !place_.empty()) remove_tree(place_);
    FolderTest::TearDown();
  }

 private:
  std::string place_;
};

// Writes until the error; bytes written. At most 64 MiB.
std::size_t fill(int fd, int* error) {
  const std::string block = pattern(65536, 1);
  std::size_t total = 0;
  while (total < (64U << 20)) {
    const ssize_t done = pwrite(fd, block.data(), block.size(), static_cast<off_t>(total));
    if (done <= 0) {
      *error = errno;
      return total;
    }
    total += static_cast<std::size_t>(done);
  }
  *error = 0;
  return total;
}

TEST_F(Full, WritingUntilItIsFull) {
  for (int round = 0; round < 3; ++round) {  // space comes back each time
    Fd fd = open_ok("file", O_RDWR | O_CREAT);
    int error = 0;
    const std::size_t written = fill(fd.get(), &error);
    ASSERT_TRUE(error == ENOSPC || error == EDQUOT) << written << " bytes, " << error_name(error);
    ASSERT_GT(written, 65536u);
    EXPECT_EQ(stat_of(fd.get()).st_size, static_cast<off_t>(written));
    EXPECT_TRUE(read_all(fd.get()).substr(0, 65536) == pattern(65536, 1));
    EXPECT_EQ(pwrite(fd.get(), "over", 4, 0), 4);  // what is there may be overwritten
    ASSERT_OK(ftruncate(fd.get(), 4096));
    EXPECT_EQ(pwrite(fd.get(), "more", 4, 4096), 4);
    ASSERT_OK(truncate("file", 0));
    ASSERT_OK(unlink("file"));
  }
}

TEST_F(Full, UnlinkedFilesKeepTheirSpaceUntilClosed) {
  REQUIRE_TRAIT(unlinked_open);
  int error = 0;
  Fd fd = open_ok("a", O_RDWR | O_CREAT);
  const std::size_t all = fill(fd.get(), &error);
  ASSERT_NE(error, 0);
  ASSERT_OK(unlink("a"));
  const Fd second = open_ok("b", O_RDWR | O_CREAT);
  EXPECT_LT(fill(second.get(), &error), all / 2);
  fd.reset();
  EXPECT_TRUE(soon([&] { return fill(second.get(), &error) > all / 2; }));
}

TEST_F(Full, FallocateIsAllOrNothing) {
  REQUIRE_TRAIT(fallocate);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), "kept", 0);
  EXPECT_ERRNO(fallocate(fd.get(), 0, 0, 1LL << 40), ENOSPC, EDQUOT, EFBIG);
  EXPECT_EQ(stat_of(fd.get()).st_size, 4);
  EXPECT_EQ(read_all(fd.get()), "kept");
  int error = 0;
  EXPECT_GT(fill(fd.get(), &error), 65536u);  // nothing stayed reserved
}

TEST_F(Full, Inodes) {
  int made = 0;
  int error = 0;
  for (; made < 100'000; ++made) {
    const Fd fd(open(("f" + std::to_string(made)).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    if (!fd) {
      error = errno;
      break;
    }
  }
  if (error == 0) GTEST_SKIP() << "the file system does not run out of inodes";
  EXPECT_TRUE(error == ENOSPC || error == EDQUOT) << error_name(error);
  EXPECT_ERRNO(mkdir("dir", 0755), ENOSPC, EDQUOT);
  EXPECT_EQ(names_of(".").size(), static_cast<std::size_t>(made));
  ASSERT_OK(unlink("f0"));
  EXPECT_TRUE(made_soon("dir")) << error_name(errno);
}

TEST_F(Full, SparseFilesMayBeLargerThanTheDisk) {
  REQUIRE_TRAIT(sparse);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  EXPECT_OK(ftruncate(fd.get(), 1LL << 30));
  EXPECT_EQ(pwrite(fd.get(), "x", 1, (1LL << 30) - 1), 1);
}

}  // namespace
}  // namespace isthmus::conformance
