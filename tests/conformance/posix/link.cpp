// link(2) and linkat(2).
#include "tests/conformance/folder.h"

namespace isthmus::conformance {
namespace {

class Link : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(hard_links);
  }
};

TEST_F(Link, NamesShareTheFile) {
  write_file("a", "one");
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(link("a", "dir/b"));
  EXPECT_EQ(lstat_of("a").st_ino, lstat_of("dir/b").st_ino);
  EXPECT_EQ(lstat_of("a").st_nlink, 2u);
  write_file("dir/b", "two!");
  EXPECT_EQ(read_file("a"), "two!");
  EXPECT_EQ(lstat_of("a").st_size, 4);
  ASSERT_OK(chmod("a", 0600));
  EXPECT_EQ(mode_of("dir/b"), 0600u);
  ASSERT_OK(unlink("a"));
  EXPECT_EQ(read_file("dir/b"), "two!");
  EXPECT_EQ(lstat_of("dir/b").st_nlink, 1u);
}

TEST_F(Link, ManyNames) {
  write_file("a", "x");
  for (int i = 0; i < 200; ++i) ASSERT_OK(link("a", ("n" + std::to_string(i)).c_str()));
  EXPECT_EQ(lstat_of("n199").st_nlink, 201u);
  for (int i = 0; i < 200; i += 2) ASSERT_OK(unlink(("n" + std::to_string(i)).c_str()));
  EXPECT_EQ(lstat_of("a").st_nlink, 101u);
}

TEST_F(Link, Errors) {
  write_file("a", "x");
  write_file("b", "y");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_ERRNO(link("a", "b"), EEXIST);
  EXPECT_ERRNO(link("a", "a"), EEXIST);
  EXPECT_ERRNO(link("a", "dir"), EEXIST);
  EXPECT_ERRNO(link("dir", "dir2"), EPERM);
  EXPECT_ERRNO(link("absent", "c"), ENOENT);
  EXPECT_ERRNO(link("a", "no/such"), ENOENT);
  EXPECT_ERRNO(link("a", "b/c"), ENOTDIR);
  EXPECT_ERRNO(link("a/x", "c"), ENOTDIR);
  EXPECT_ERRNO(link("a", "c/"), ENOENT, ENOTDIR);
  EXPECT_ERRNO(link("a", (options().native + "/isthmus.conformance.xdev").c_str()), EXDEV);
  EXPECT_EQ(lstat_of("a").st_nlink, 1u);
}

TEST_F(Link, SymlinksAreLinkedThemselves) {
  REQUIRE_TRAIT(symlinks);
  write_file("file", "x");
  ASSERT_OK(symlink("file", "sym"));
  ASSERT_OK(link("sym", "sym2"));
  EXPECT_TRUE(S_ISLNK(lstat_of("sym2").st_mode));
  EXPECT_EQ(lstat_of("sym").st_nlink, 2u);
  EXPECT_EQ(lstat_of("file").st_nlink, 1u);
  ASSERT_OK(linkat(AT_FDCWD, "sym", AT_FDCWD, "file2", AT_SYMLINK_FOLLOW));
  EXPECT_EQ(lstat_of("file2").st_ino, lstat_of("file").st_ino);
  ASSERT_OK(symlink("nowhere", "dangling"));
  EXPECT_ERRNO(link("file", "dangling"), EEXIST);
}

TEST_F(Link, SpecialFiles) {
  REQUIRE_TRAIT(special_files);
  ASSERT_OK(mkfifo("fifo", 0644));
  ASSERT_OK(link("fifo", "fifo2"));
  EXPECT_EQ(lstat_of("fifo2").st_nlink, 2u);
  EXPECT_TRUE(S_ISFIFO(lstat_of("fifo2").st_mode));
  EXPECT_EQ(lstat_of("fifo2").st_ino, lstat_of("fifo").st_ino);
}

TEST_F(Link, ByDescriptor) {
  write_file("file", "x");
  const Fd fd = open_ok("file", O_RDONLY);
  ASSERT_OK(linkat(fd.get(), "", AT_FDCWD, "by_fd", AT_EMPTY_PATH));
  ASSERT_OK(linkat(AT_FDCWD, fd_path(fd.get()).c_str(), AT_FDCWD, "by_proc", AT_SYMLINK_FOLLOW));
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 3u);
}

TEST_F(Link, UnlinkedFilesCannotComeBack) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("file", "x");
  const Fd fd = open_ok("file", O_RDONLY);
  ASSERT_OK(unlink("file"));
  EXPECT_ERRNO(linkat(AT_FDCWD, fd_path(fd.get()).c_str(), AT_FDCWD, "back", AT_SYMLINK_FOLLOW), ENOENT);
  EXPECT_FALSE(exists("back"));
}

TEST_F(Link, Permissions) {
  REQUIRE_TRAIT(other_users);
  write_file("file", "x", 0666);
  ASSERT_OK(mkdir("shut", 0755));
  ASSERT_OK(mkdir("blind", 0700));
  write_file("blind/file", "x");
  as_user(kAlice, [] {
    write_file("hers", "x");
    EXPECT_ERRNO(link("hers", "shut/new"), EACCES);
    EXPECT_ERRNO(link("blind/file", "new"), EACCES);
    EXPECT_OK(link("hers", "hers2"));
  });
}

TEST_F(Link, DescriptorsOfBothNamesSeeTheSameBytes) {
  write_file("a", "0123");
  ASSERT_OK(link("a", "b"));
  const Fd a = open_ok("a", O_RDWR);
  const Fd b = open_ok("b", O_RDWR);
  write_all(a.get(), "AB", 0);
  EXPECT_EQ(read_all(b.get()), "AB23");
  ASSERT_OK(ftruncate(b.get(), 1));
  EXPECT_EQ(stat_of(a.get()).st_size, 1);
  EXPECT_EQ(lstat_of("a").st_size, 1);
}

}  // namespace
}  // namespace isthmus::conformance
