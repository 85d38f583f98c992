// truncate(2), ftruncate(2): sizes, zero fill, limits.
#include "tests/conformance/folder.h"

#include <sys/resource.h>
#include <csignal>

namespace isthmus::conformance {
namespace {

class Truncate : public FolderTest {};

TEST_F(Truncate, GrowAndShrink) {
  const std::string content = pattern(20000, 1);
  write_file("file", content);
  for (const off_t size : {19999, 8192, 4097, 4096, 4095, 1, 0}) {
    ASSERT_OK(truncate("file", size));
    EXPECT_EQ(lstat_of("file").st_size, size);
    EXPECT_TRUE(read_file("file") == content.substr(0, static_cast<std::size_t>(size))) << size;
  }
  const Fd fd = open_ok("file", O_RDWR);
  for (const off_t size : {1, 4095, 4096, 4097, 100000}) {
    ASSERT_OK(ftruncate(fd.get(), size));
    EXPECT_TRUE(read_file("file") == std::string(static_cast<std::size_t>(size), '\0')) << size;
  }
}

// Bytes cut off must not come back when the file grows again, whatever the offset within the page.
TEST_F(Truncate, ShrinkThenGrowShowsZeroes) {
  for (const off_t cut : {1, 511, 512, 2047, 4095, 4096, 4097, 6000, 8191}) {
    SCOPED_TRACE(cut);
    const Fd fd = open_ok("file", O_RDWR | O_CREAT | O_TRUNC);
    const std::string content(12000, 'x');
    write_all(fd.get(), content, 0);
    ASSERT_OK(ftruncate(fd.get(), cut));
    ASSERT_OK(ftruncate(fd.get(), 12000));
    const auto kept = static_cast<std::size_t>(cut);
    EXPECT_TRUE(read_all(fd.get()) == content.substr(0, kept) + std::string(12000 - kept, '\0'));
    // the same by a write beyond the end
    write_all(fd.get(), content, 0);
    ASSERT_OK(ftruncate(fd.get(), cut));
    write_all(fd.get(), "end", 11997);
    EXPECT_TRUE(read_all(fd.get()) == content.substr(0, kept) + std::string(11997 - kept, '\0') + "end");
  }
}

TEST_F(Truncate, OffsetStays) {
  write_file("file", "0123456789");
  const Fd fd = open_ok("file", O_RDWR);
  EXPECT_EQ(lseek(fd.get(), 8, SEEK_SET), 8);
  ASSERT_OK(ftruncate(fd.get(), 3));
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_CUR), 8);
  EXPECT_EQ(write(fd.get(), "X", 1), 1);
  EXPECT_EQ(read_file("file"), std::string("012\0\0\0\0\0X", 9));
}

TEST_F(Truncate, Errors) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  const Fd reader = open_ok("file", O_RDONLY);
  const Fd dir = open_ok("dir", O_RDONLY);
  EXPECT_ERRNO(truncate("file", -1), EINVAL);
  EXPECT_ERRNO(truncate("dir", 0), EISDIR);
  EXPECT_ERRNO(truncate("absent", 0), ENOENT);
  EXPECT_ERRNO(truncate("file/x", 0), ENOTDIR);
  EXPECT_ERRNO(ftruncate(reader.get(), 0), EINVAL, EBADF);
  EXPECT_ERRNO(ftruncate(dir.get(), 0), EINVAL, EBADF);
  const Fd writer = open_ok("file", O_WRONLY);
  EXPECT_ERRNO(ftruncate(writer.get(), -1), EINVAL);
  EXPECT_EQ(read_file("file"), "x");
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("fifo", 0644));
    EXPECT_ERRNO(truncate("fifo", 0), EINVAL);
  }
}

TEST_F(Truncate, Permissions) {
  REQUIRE_TRAIT(other_users);
  write_file("file", "content", 0644);
  as_user(kAlice, [] { EXPECT_ERRNO(truncate("file", 0), EACCES); });
  ASSERT_OK(chmod("file", 0602));
  as_user(kAlice, [] { EXPECT_OK(truncate("file", 2)); });
  EXPECT_EQ(lstat_of("file").st_size, 2);
}

TEST_F(Truncate, SizeLimitOfTheProcess) {
  write_file("file", "content");
  in_child([] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{8192, 8192};
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
    const Fd fd = open_ok("file", O_RDWR);
    EXPECT_ERRNO(ftruncate(fd.get(), 8193), EFBIG);
    EXPECT_ERRNO(truncate("file", 10000), EFBIG);
    EXPECT_OK(ftruncate(fd.get(), 8192));
    EXPECT_EQ(pwrite(fd.get(), "0123456789", 10, 8190), 2);
    EXPECT_ERRNO(pwrite(fd.get(), "0123456789", 10, 8192), EFBIG);
  });
  EXPECT_EQ(lstat_of("file").st_size, 8192);
}

TEST_F(Truncate, SizeLimitSendsASignal) {
  write_file("file", "content");
  in_child([] {
    static volatile std::sig_atomic_t seen = 0;
    signal(SIGXFSZ, [](int) { seen = 1; });
    const rlimit limit{4096, 4096};
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
    const Fd fd = open_ok("file", O_RDWR);
    EXPECT_ERRNO(pwrite(fd.get(), "x", 1, 4096), EFBIG);
    EXPECT_EQ(seen, 1);
  });
}

TEST_F(Truncate, Large) {
  REQUIRE_TRAIT(large_files);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  constexpr off_t kSize = 5LL << 30;
  ASSERT_OK(ftruncate(fd.get(), kSize));
  EXPECT_EQ(lstat_of("file").st_size, kSize);
  write_all(fd.get(), "end", kSize - 3);
  char text[4] = {};
  EXPECT_EQ(pread(fd.get(), text, 4, kSize - 3), 3);
  EXPECT_STREQ(text, "end");
  EXPECT_EQ(pread(fd.get(), text, 1, kSize / 2), 1);
  EXPECT_EQ(text[0], '\0');
  if (options().traits.sparse) {
    EXPECT_LT(stat_of(fd.get()).st_blocks, 4096);
  }
  ASSERT_OK(ftruncate(fd.get(), kSize - 1));
  EXPECT_EQ(pread(fd.get(), text, 4, kSize - 3), 2);
}

TEST_F(Truncate, Huge) {
  REQUIRE_TRAIT(huge_files);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  constexpr off_t kMost = 0x7fffffffffffffffLL;
  // Linux ends files at the last whole page before 2^63 or at 2^63 - 1.
  constexpr off_t kSize = kMost - 8192;
  ASSERT_OK(ftruncate(fd.get(), kSize));
  EXPECT_EQ(lstat_of("file").st_size, kSize);
  write_all(fd.get(), "Z", kSize - 1);
  char byte = 0;
  EXPECT_EQ(pread(fd.get(), &byte, 1, kSize - 1), 1);
  EXPECT_EQ(byte, 'Z');
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_END), kSize);
  EXPECT_ERRNO(lseek(fd.get(), 10000, SEEK_END), EINVAL, EOVERFLOW);
  EXPECT_ERRNO(pwrite(fd.get(), "x", 1, kMost), EFBIG, EINVAL);
}

}  // namespace
}  // namespace isthmus::conformance
