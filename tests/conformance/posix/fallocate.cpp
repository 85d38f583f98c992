// fallocate(2) in every mode, holes, SEEK_HOLE and SEEK_DATA.
#include "tests/conformance/folder.h"

#include <linux/falloc.h>
#include <sys/resource.h>
#include <csignal>

namespace isthmus::conformance {
namespace {

constexpr off_t kBlock = 65536;  // a multiple of every block size in use

class Fallocate : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(fallocate);
  }
};

class Holes : public FolderTest {};

TEST_F(Fallocate, Grows) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), "content", 0);
  ASSERT_OK(fallocate(fd.get(), 0, 0, 100000));
  EXPECT_EQ(stat_of(fd.get()).st_size, 100000);
  EXPECT_TRUE(read_all(fd.get()) == "content" + std::string(100000 - 7, '\0'));
  if (options().traits.sparse) {
    EXPECT_GE(stat_of(fd.get()).st_blocks * 512, 100000);
  }
  ASSERT_OK(fallocate(fd.get(), 0, 10, 10));  // within: nothing changes
  EXPECT_EQ(stat_of(fd.get()).st_size, 100000);
  ASSERT_OK(fallocate(fd.get(), 0, 200000, 1));
  EXPECT_EQ(stat_of(fd.get()).st_size, 200001);
  EXPECT_EQ(posix_fallocate(fd.get(), 200000, 1000), 0);
  EXPECT_EQ(stat_of(fd.get()).st_size, 201000);
}

TEST_F(Fallocate, Errors) {
  write_file("file", "content");
  const Fd fd = open_ok("file", O_RDWR);
  const Fd reader = open_ok("file", O_RDONLY);
  EXPECT_ERRNO(fallocate(fd.get(), 0, -1, 10), EINVAL);
  EXPECT_ERRNO(fallocate(fd.get(), 0, 0, 0), EINVAL);
  EXPECT_ERRNO(fallocate(fd.get(), 0, 0, -1), EINVAL);
  EXPECT_ERRNO(fallocate(fd.get(), 0, 0x7fffffffffffffffLL, 1), EFBIG);
  EXPECT_ERRNO(fallocate(reader.get(), 0, 0, 10), EBADF);
  EXPECT_ERRNO(fallocate(fd.get(), 0x4000, 0, 10), EOPNOTSUPP);
  EXPECT_ERRNO(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);  // needs KEEP_SIZE
  const Fd dir = open_ok(".", O_RDONLY);
  EXPECT_ERRNO(fallocate(dir.get(), 0, 0, 10), EBADF, EISDIR, ENODEV);
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("fifo", 0644));
    const Fd fifo = open_ok("fifo", O_RDWR);
    EXPECT_ERRNO(fallocate(fifo.get(), 0, 0, 10), ESPIPE, ENODEV);
  }
  EXPECT_EQ(read_file("file"), "content");
}

TEST_F(Fallocate, SizeLimitOfTheProcess) {
  write_file("file", "content");
  in_child([] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{8192, 8192};
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
    const Fd fd = open_ok("file", O_RDWR);
    EXPECT_ERRNO(fallocate(fd.get(), 0, 0, 8193), EFBIG);
    EXPECT_OK(fallocate(fd.get(), 0, 0, 8192));
  });
}

TEST_F(Fallocate, KeepSize) {
  REQUIRE_TRAIT(keep_size);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), "abc", 0);
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 10 * kBlock));
  EXPECT_EQ(stat_of(fd.get()).st_size, 3);
  EXPECT_EQ(read_all(fd.get()), "abc");
  ASSERT_OK(ftruncate(fd.get(), 2 * kBlock));
  EXPECT_TRUE(read_all(fd.get()) == "abc" + std::string(2 * kBlock - 3, '\0'));
}

TEST_F(Fallocate, PunchHole) {
  REQUIRE_TRAIT(punch_hole);
  std::string model = pattern(8 * kBlock, 3);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), model, 0);
  ASSERT_OK(fsync(fd.get()));
  const auto before = stat_of(fd.get()).st_blocks;
  const std::pair<off_t, off_t> ranges[] = {
      {kBlock, kBlock}, {3 * kBlock + 5, 7}, {4 * kBlock - 10, 20}, {7 * kBlock, 10 * kBlock}};
  for (const auto& [start, length] : ranges) {
    ASSERT_OK(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, length));
    const auto from = static_cast<std::size_t>(start);
    const auto count = std::min(static_cast<std::size_t>(length), model.size() - from);
    model.replace(from, count, count, '\0');
    EXPECT_EQ(stat_of(fd.get()).st_size, 8 * kBlock);
    ASSERT_TRUE(read_all(fd.get()) == model) << start;
  }
  if (options().traits.sparse) {
    EXPECT_LT(stat_of(fd.get()).st_blocks, before);
  }
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 20 * kBlock, kBlock));  // beyond the end
  EXPECT_EQ(stat_of(fd.get()).st_size, 8 * kBlock);
}

TEST_F(Fallocate, ZeroRange) {
  REQUIRE_TRAIT(zero_range);
  std::string model = pattern(4 * kBlock, 4);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), model, 0);
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, kBlock + 3, kBlock));
  model.replace(kBlock + 3, kBlock, kBlock, '\0');
  EXPECT_TRUE(read_all(fd.get()) == model);
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 4 * kBlock - 5, kBlock));
  EXPECT_EQ(stat_of(fd.get()).st_size, 4 * kBlock);
  model.replace(4 * kBlock - 5, 5, 5, '\0');
  EXPECT_TRUE(read_all(fd.get()) == model);
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, 4 * kBlock, 100));
  EXPECT_EQ(stat_of(fd.get()).st_size, 4 * kBlock + 100);
}

TEST_F(Fallocate, CollapseAndInsert) {
  REQUIRE_TRAIT(collapse_range);
  const std::string model = pattern(6 * kBlock, 5);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), model, 0);
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_COLLAPSE_RANGE, kBlock, 2 * kBlock));
  EXPECT_TRUE(read_all(fd.get()) == model.substr(0, kBlock) + model.substr(3 * kBlock));
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_INSERT_RANGE, kBlock, 2 * kBlock));
  EXPECT_TRUE(read_all(fd.get()) == model.substr(0, kBlock) + std::string(2 * kBlock, '\0') + model.substr(3 * kBlock));
  EXPECT_ERRNO(fallocate(fd.get(), FALLOC_FL_COLLAPSE_RANGE, 1, kBlock), EINVAL);
  EXPECT_ERRNO(fallocate(fd.get(), FALLOC_FL_COLLAPSE_RANGE, 5 * kBlock, kBlock), EINVAL);
  EXPECT_ERRNO(fallocate(fd.get(), FALLOC_FL_INSERT_RANGE, 6 * kBlock, kBlock), EINVAL);
}

TEST_F(Fallocate, ModesThatAreNotThereSaySo) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  const std::string model = pattern(4 * kBlock, 6);
  write_all(fd.get(), model, 0);
  const auto refuses = [&](bool has, int mode) {
    if (!has) {
      EXPECT_ERRNO(fallocate(fd.get(), mode, 0, kBlock), EOPNOTSUPP) << mode;
    }
  };
  refuses(options().traits.punch_hole, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  refuses(options().traits.zero_range, FALLOC_FL_ZERO_RANGE);
  refuses(options().traits.collapse_range, FALLOC_FL_COLLAPSE_RANGE);
  refuses(options().traits.collapse_range, FALLOC_FL_INSERT_RANGE);
  EXPECT_TRUE(read_all(fd.get()) == model);
}

TEST_F(Holes, SeekDataAndHole) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), std::string(kBlock, 'a'), 2 * kBlock);
  write_all(fd.get(), std::string(kBlock, 'b'), 6 * kBlock);
  ASSERT_OK(ftruncate(fd.get(), 10 * kBlock));
  ASSERT_OK(fsync(fd.get()));
  const int file = fd.get();
  // True of every file system: data is found where data is, a hole at the end at the latest, nothing beyond it.
  EXPECT_EQ(lseek(file, 2 * kBlock + 5, SEEK_DATA), 2 * kBlock + 5);
  EXPECT_GE(lseek(file, 2 * kBlock, SEEK_HOLE), 3 * kBlock);
  EXPECT_LE(lseek(file, 0, SEEK_DATA), 2 * kBlock);
  EXPECT_ERRNO(lseek(file, 10 * kBlock, SEEK_DATA), ENXIO);
  EXPECT_ERRNO(lseek(file, 10 * kBlock, SEEK_HOLE), ENXIO);
  EXPECT_ERRNO(lseek(file, -1, SEEK_DATA), ENXIO, EINVAL);
  if (!options().traits.holes) return;
  EXPECT_EQ(lseek(file, 0, SEEK_DATA), 2 * kBlock);
  EXPECT_EQ(lseek(file, 0, SEEK_HOLE), 0);
  EXPECT_EQ(lseek(file, 2 * kBlock, SEEK_HOLE), 3 * kBlock);
  EXPECT_EQ(lseek(file, 3 * kBlock, SEEK_DATA), 6 * kBlock);
  EXPECT_EQ(lseek(file, 4 * kBlock, SEEK_HOLE), 4 * kBlock);
  EXPECT_EQ(lseek(file, 6 * kBlock, SEEK_HOLE), 7 * kBlock);
  EXPECT_ERRNO(lseek(file, 7 * kBlock, SEEK_DATA), ENXIO);
}

TEST_F(Holes, EndOfAFileWithoutHolesIsAHole) {
  write_file("file", "0123456789");
  const Fd fd = open_ok("file", O_RDONLY);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_HOLE), 10);
  EXPECT_EQ(lseek(fd.get(), 9, SEEK_HOLE), 10);
  EXPECT_EQ(lseek(fd.get(), 9, SEEK_DATA), 9);
  EXPECT_ERRNO(lseek(fd.get(), 10, SEEK_DATA), ENXIO);
  const Fd empty = open_ok("empty", O_RDWR | O_CREAT);
  EXPECT_ERRNO(lseek(empty.get(), 0, SEEK_DATA), ENXIO);
  EXPECT_ERRNO(lseek(empty.get(), 0, SEEK_HOLE), ENXIO);
  EXPECT_ERRNO(lseek(empty.get(), 0, 77), EINVAL);
}

TEST_F(Holes, PunchedHolesAreFound) {
  REQUIRE_TRAIT(holes);
  REQUIRE_TRAIT(punch_hole);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), std::string(8 * kBlock, 'x'), 0);
  ASSERT_OK(fsync(fd.get()));
  ASSERT_OK(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * kBlock, 3 * kBlock));
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_HOLE), 2 * kBlock);
  EXPECT_EQ(lseek(fd.get(), 2 * kBlock, SEEK_DATA), 5 * kBlock);
}

}  // namespace
}  // namespace isthmus::conformance
