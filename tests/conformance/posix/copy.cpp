// copy_file_range(2), sendfile(2), splice(2).
#include "tests/conformance/folder.h"

#include <sys/sendfile.h>

namespace isthmus::conformance {
namespace {

class Copy : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(copy_file_range);
  }
};

class Splice : public FolderTest {};

TEST_F(Copy, WholeFile) {
  const std::string data = pattern(300'001, 1);
  write_file("from", data);
  const Fd in = open_ok("from", O_RDONLY);
  const Fd out = open_ok("to", O_RDWR | O_CREAT);
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t part = copy_file_range(in.get(), nullptr, out.get(), nullptr, data.size() - done, 0);
    ASSERT_GT(part, 0) << error_name(errno);
    done += static_cast<std::size_t>(part);
  }
  EXPECT_EQ(copy_file_range(in.get(), nullptr, out.get(), nullptr, 100, 0), 0);
  EXPECT_EQ(lseek(in.get(), 0, SEEK_CUR), static_cast<off_t>(data.size()));
  EXPECT_EQ(lseek(out.get(), 0, SEEK_CUR), static_cast<off_t>(data.size()));
  EXPECT_TRUE(read_file("to") == data);
  EXPECT_EQ(lstat_of("to").st_size, static_cast<off_t>(data.size()));
}

TEST_F(Copy, Ranges) {
  const std::string data = pattern(50'000, 2);
  write_file("from", data);
  const Fd in = open_ok("from", O_RDONLY);
  const Fd out = open_ok("to", O_RDWR | O_CREAT);
  off_t from = 1001;
  off_t to = 70'003;
  ASSERT_EQ(copy_file_range(in.get(), &from, out.get(), &to, 20'000, 0), 20'000);
  EXPECT_EQ(from, 21'001);
  EXPECT_EQ(to, 90'003);
  EXPECT_EQ(lseek(in.get(), 0, SEEK_CUR), 0);
  EXPECT_TRUE(read_file("to") == std::string(70'003, '\0') + data.substr(1001, 20'000));
  from = 45'000;
  to = 0;
  EXPECT_EQ(copy_file_range(in.get(), &from, out.get(), &to, 20'000, 0), 5'000);  // to the end only
  from = 50'000;
  EXPECT_EQ(copy_file_range(in.get(), &from, out.get(), &to, 10, 0), 0);
  from = 1'000'000;
  EXPECT_EQ(copy_file_range(in.get(), &from, out.get(), &to, 10, 0), 0);
  EXPECT_EQ(copy_file_range(in.get(), nullptr, out.get(), nullptr, 0, 0), 0);
}

TEST_F(Copy, WithinOneFile) {
  std::string data = pattern(100'000, 3);
  write_file("file", data);
  const Fd fd = open_ok("file", O_RDWR);
  off_t from = 0;
  off_t to = 60'000;
  ASSERT_EQ(copy_file_range(fd.get(), &from, fd.get(), &to, 30'000, 0), 30'000);
  data.replace(60'000, 30'000, data.substr(0, 30'000));
  EXPECT_TRUE(read_file("file") == data);
  from = 0;
  to = 10;
  EXPECT_ERRNO(copy_file_range(fd.get(), &from, fd.get(), &to, 11, 0), EINVAL);  // overlap
  EXPECT_TRUE(read_file("file") == data);
}

TEST_F(Copy, SeesWhatWasJustWritten) {
  const Fd in = open_ok("from", O_RDWR | O_CREAT);
  const Fd out = open_ok("to", O_RDWR | O_CREAT);
  write_all(out.get(), std::string(20'000, '.'), 0);
  EXPECT_EQ(read_all(out.get()).size(), 20'000u);
  write_all(in.get(), pattern(10'000, 4), 0);
  off_t from = 0;
  off_t to = 5'000;
  ASSERT_EQ(copy_file_range(in.get(), &from, out.get(), &to, 10'000, 0), 10'000);
  EXPECT_TRUE(read_all(out.get()) == std::string(5'000, '.') + pattern(10'000, 4) + std::string(5'000, '.'));
}

TEST_F(Copy, Errors) {
  write_file("file", "content");
  ASSERT_OK(mkdir("dir", 0755));
  const Fd in = open_ok("file", O_RDONLY);
  const Fd out = open_ok("to", O_RDWR | O_CREAT);
  const Fd append = open_ok("to", O_WRONLY | O_APPEND);
  const Fd writer = open_ok("file", O_WRONLY);
  const Fd dir = open_ok("dir", O_RDONLY);
  off_t zero = 0;
  EXPECT_ERRNO(copy_file_range(in.get(), &zero, out.get(), &zero, 1, 1), EINVAL);
  EXPECT_ERRNO(copy_file_range(in.get(), &zero, append.get(), &zero, 1, 0), EBADF);
  EXPECT_ERRNO(copy_file_range(writer.get(), &zero, out.get(), &zero, 1, 0), EBADF);
  EXPECT_ERRNO(copy_file_range(in.get(), &zero, in.get(), &zero, 1, 0), EBADF);
  EXPECT_ERRNO(copy_file_range(dir.get(), &zero, out.get(), &zero, 1, 0), EISDIR);
  EXPECT_EQ(stat_of(out.get()).st_size, 0);
}

TEST_F(Copy, ToTheNativeFileSystemAndBack) {
  const std::string data = pattern(100'000, 5);
  const std::string native = options().native + "/conformance.copy." + std::to_string(getpid());
  write_file("from", data);
  {
    const Fd in = open_ok("from", O_RDONLY);
    const Fd out = open_ok(native, O_RDWR | O_CREAT | O_TRUNC);
    const Fd back = open_ok("back", O_RDWR | O_CREAT);
    unlink(native.c_str());
    const ssize_t there = copy_file_range(in.get(), nullptr, out.get(), nullptr, data.size(), 0);
    if (there < 0 && errno == EXDEV) GTEST_SKIP() << "the kernel does not copy between these file systems";
    EXPECT_EQ(there, static_cast<ssize_t>(data.size()));
    off_t zero = 0;
    EXPECT_EQ(copy_file_range(out.get(), &zero, back.get(), nullptr, data.size(), 0),
              static_cast<ssize_t>(data.size()));
  }
  EXPECT_TRUE(read_file("back") == data);
}

TEST_F(Splice, SendfileBetweenFiles) {
  const std::string data = pattern(200'000, 6);
  write_file("from", data);
  const Fd in = open_ok("from", O_RDONLY);
  const Fd out = open_ok("to", O_WRONLY | O_CREAT);
  off_t offset = 100;
  while (static_cast<std::size_t>(offset) < data.size())
    ASSERT_GT(sendfile(out.get(), in.get(), &offset, data.size()), 0) << error_name(errno);
  EXPECT_TRUE(read_file("to") == data.substr(100));
}

TEST_F(Splice, ThroughAPipe) {
  const std::string data = pattern(150'000, 7);
  write_file("from", data);
  int ends[2];
  ASSERT_OK(pipe(ends));
  const Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  const Fd in = open_ok("from", O_RDONLY);
  const Fd out = open_ok("to", O_WRONLY | O_CREAT);
  for (;;) {
    const ssize_t filled = splice(in.get(), nullptr, write_end.get(), nullptr, 4096, SPLICE_F_MOVE);
    ASSERT_GE(filled, 0) << error_name(errno);
    if (filled == 0) break;
    for (ssize_t left = filled; left > 0;) {
      const ssize_t moved =
          splice(read_end.get(), nullptr, out.get(), nullptr, static_cast<std::size_t>(left), SPLICE_F_MOVE);
      ASSERT_GT(moved, 0) << error_name(errno);
      left -= moved;
    }
  }
  EXPECT_TRUE(read_file("to") == data);
}

}  // namespace
}  // namespace isthmus::conformance
