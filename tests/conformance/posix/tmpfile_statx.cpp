// O_TMPFILE; statx(2); inode numbers.
#include "tests/conformance/folder.h"

#include <sys/sysmacros.h>
#include <ctime>
#include <set>

namespace isthmus::conformance {
namespace {

class Tmpfile : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(tmpfile);
  }
};

class Statx : public FolderTest {};

TEST_F(Tmpfile, HasNoNameUntilLinked) {
  const Fd fd = open_ok(".", O_TMPFILE | O_RDWR, 0640);
  ASSERT_TRUE(static_cast<bool>(fd));
  EXPECT_TRUE(names_of(".").empty());
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0u);
  EXPECT_EQ(stat_of(fd.get()).st_mode, S_IFREG | 0640u);
  write_all(fd.get(), "content", 0);
  EXPECT_EQ(read_all(fd.get()), "content");
  ASSERT_OK(linkat(AT_FDCWD, fd_path(fd.get()).c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  EXPECT_EQ(read_file("named"), "content");
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 1u);
  if (options().traits.stable_inodes) {
    EXPECT_EQ(lstat_of("named").st_ino, stat_of(fd.get()).st_ino);
  }
  const Fd second = open_ok(".", O_TMPFILE | O_RDWR, 0600);
  EXPECT_ERRNO(linkat(AT_FDCWD, fd_path(second.get()).c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW), EEXIST);
  ASSERT_OK(linkat(second.get(), "", AT_FDCWD, "by_fd", AT_EMPTY_PATH));
}

TEST_F(Tmpfile, ExclusiveCannotBeLinked) {
  const Fd fd = open_ok(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
  ASSERT_TRUE(static_cast<bool>(fd));
  EXPECT_ERRNO(linkat(AT_FDCWD, fd_path(fd.get()).c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST_F(Tmpfile, Errors) {
  write_file("file", "x");
  EXPECT_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
  EXPECT_ERRNO(open("file", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
  EXPECT_ERRNO(open("absent", O_TMPFILE | O_RDWR, 0600), ENOENT);
  if (!options().traits.other_users) return;
  ASSERT_OK(mkdir("shut", 0755));
  as_user(kAlice, [] {
    EXPECT_ERRNO(open("shut", O_TMPFILE | O_RDWR, 0600), EACCES);
    const Fd fd = open_ok(".", O_TMPFILE | O_RDWR, 0600);
    if (options().traits.owners) {
      EXPECT_EQ(stat_of(fd.get()).st_uid, kAlice.uid);
    }
  });
}

TEST_F(Statx, SameAsStat) {
  write_file("file", "content");
  const struct stat about = lstat_of("file");
  struct statx more {};
  ASSERT_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &more));
  EXPECT_EQ(more.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  EXPECT_EQ(more.stx_mode, about.st_mode);
  EXPECT_EQ(more.stx_ino, about.st_ino);
  EXPECT_EQ(more.stx_nlink, about.st_nlink);
  EXPECT_EQ(more.stx_uid, about.st_uid);
  EXPECT_EQ(more.stx_size, static_cast<std::uint64_t>(about.st_size));
  EXPECT_EQ(more.stx_blocks, static_cast<std::uint64_t>(about.st_blocks));
  EXPECT_EQ(more.stx_mtime.tv_sec, about.st_mtim.tv_sec);
  EXPECT_EQ(more.stx_mtime.tv_nsec, static_cast<std::uint32_t>(about.st_mtim.tv_nsec));
  EXPECT_EQ(more.stx_ctime.tv_nsec, static_cast<std::uint32_t>(about.st_ctim.tv_nsec));
  EXPECT_EQ(makedev(more.stx_dev_major, more.stx_dev_minor), about.st_dev);
  const Fd fd = open_ok("file", O_RDONLY);
  struct statx by_fd {};
  ASSERT_OK(statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &by_fd));
  EXPECT_EQ(by_fd.stx_ino, more.stx_ino);
  ASSERT_OK(statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC, STATX_SIZE, &by_fd));
  EXPECT_EQ(by_fd.stx_size, 7u);
  ASSERT_OK(statx(AT_FDCWD, "file", AT_STATX_DONT_SYNC, STATX_SIZE, &by_fd));
  EXPECT_EQ(by_fd.stx_size, 7u);
  EXPECT_ERRNO(statx(AT_FDCWD, "absent", 0, STATX_BASIC_STATS, &more), ENOENT);
  EXPECT_ERRNO(statx(AT_FDCWD, "file", 0x40000000, STATX_BASIC_STATS, &more), EINVAL);
}

TEST_F(Statx, BirthTime) {
  REQUIRE_TRAIT(btime);
  const time_t before = time(nullptr) - 2;
  write_file("file", "x");
  struct statx first {};
  ASSERT_OK(statx(AT_FDCWD, "file", 0, STATX_BTIME, &first));
  ASSERT_NE(first.stx_mask & STATX_BTIME, 0u);
  EXPECT_GE(first.stx_btime.tv_sec, before);
  EXPECT_LE(first.stx_btime.tv_sec, time(nullptr) + 2);
  wait_tick();
  write_file("file", "changed");
  ASSERT_OK(chmod("file", 0600));
  const timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, "file", old, 0));
  ASSERT_OK(rename("file", "moved"));
  struct statx later {};
  ASSERT_OK(statx(AT_FDCWD, "moved", 0, STATX_BTIME, &later));
  EXPECT_EQ(later.stx_btime.tv_sec, first.stx_btime.tv_sec);
  EXPECT_EQ(later.stx_btime.tv_nsec, first.stx_btime.tv_nsec);
  wait_tick();
  write_file("second", "x");
  struct statx second {};
  ASSERT_OK(statx(AT_FDCWD, "second", 0, STATX_BTIME, &second));
  EXPECT_GT(second.stx_btime.tv_sec * 1'000'000'000LL + second.stx_btime.tv_nsec,
            first.stx_btime.tv_sec * 1'000'000'000LL + first.stx_btime.tv_nsec);
}

TEST_F(Statx, InodeNumbersAreUniqueAndStay) {
  REQUIRE_TRAIT(stable_inodes);
  std::set<ino_t> inodes;
  for (int i = 0; i < 500; ++i) {
    const std::string name = "f" + std::to_string(i);
    write_file(name, "x");
    EXPECT_TRUE(inodes.insert(lstat_of(name).st_ino).second) << name;
  }
  const ino_t inode = lstat_of("f7").st_ino;
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(rename("f7", "dir/moved"));
  EXPECT_EQ(lstat_of("dir/moved").st_ino, inode);
  const Fd fd = open_ok("dir/moved", O_RDWR);
  write_all(fd.get(), pattern(100'000, 1), 0);
  EXPECT_EQ(stat_of(fd.get()).st_ino, inode);
  EXPECT_EQ(lstat_of("dir/moved").st_dev, lstat_of(".").st_dev);
  if (options().traits.hard_links) {
    ASSERT_OK(link("dir/moved", "twin"));
    EXPECT_EQ(lstat_of("twin").st_ino, inode);
  }
}

TEST_F(Statx, SizesOfThings) {
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_GE(lstat_of("dir").st_size, 0);
  write_file("file", "");
  EXPECT_EQ(lstat_of("file").st_blocks, 0);
  EXPECT_GT(lstat_of("file").st_blksize, 0);
  write_file("file", pattern(100'000, 1));
  {
    const Fd fd = open_ok("file", O_RDONLY);
    ASSERT_OK(fsync(fd.get()));
  }
  if (options().traits.sparse) {
    EXPECT_GE(lstat_of("file").st_blocks * 512, 100'000);
  }
  if (options().traits.sparse) {
    EXPECT_LE(lstat_of("file").st_blocks * 512, 400'000);
  }
}

}  // namespace
}  // namespace isthmus::conformance
