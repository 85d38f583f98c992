// unlink(2), and files that live on without a name.
#include "tests/conformance/folder.h"

namespace isthmus::conformance {
namespace {

class Unlink : public FolderTest {};

TEST_F(Unlink, Errors) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_ERRNO(unlink("absent"), ENOENT);
  EXPECT_ERRNO(unlink("file/x"), ENOTDIR);
  EXPECT_ERRNO(unlink("file/"), ENOTDIR);
  EXPECT_ERRNO(unlink("dir"), EISDIR, EPERM);
  EXPECT_ERRNO(unlink("dir/."), EISDIR, EINVAL, EPERM);
  EXPECT_ERRNO(unlink(""), ENOENT);
  EXPECT_OK(unlink("file"));
  EXPECT_ERRNO(unlink("file"), ENOENT);
}

TEST_F(Unlink, OpenFileLivesOn) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("file", "before");
  const Fd fd = open_ok("file", O_RDWR);
  const Fd second = open_ok("file", O_RDONLY);
  ASSERT_OK(unlink("file"));
  EXPECT_FALSE(exists("file"));
  EXPECT_TRUE(names_of(".").empty());
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0u);
  write_all(fd.get(), "after unlink", 0);
  EXPECT_EQ(read_all(second.get()), "after unlink");
  ASSERT_OK(ftruncate(fd.get(), 5));
  EXPECT_EQ(read_all(second.get()), "after");
  ASSERT_OK(ftruncate(fd.get(), 100000));
  EXPECT_EQ(stat_of(second.get()).st_size, 100000);
  ASSERT_OK(fchmod(fd.get(), 0640));
  EXPECT_EQ(stat_of(fd.get()).st_mode & 07777, 0640u);
  if (options().traits.owners) {
    ASSERT_OK(fchown(fd.get(), 3, 4));
    EXPECT_EQ(stat_of(second.get()).st_uid, 3u);
  }
  const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'001, 0}};
  ASSERT_OK(futimens(fd.get(), times));
  EXPECT_EQ(stat_of(fd.get()).st_mtim.tv_sec, 1'000'000'001);
  EXPECT_OK(fsync(fd.get()));
}

TEST_F(Unlink, OpenedAgainThroughProc) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("file", "content");
  const Fd fd = open_ok("file", O_RDONLY);
  ASSERT_OK(unlink("file"));
  const Fd again = open_ok(fd_path(fd.get()), O_RDWR);
  write_all(again.get(), "C", 0);
  EXPECT_EQ(read_all(fd.get()), "Content");
  const Fd emptied = open_ok(fd_path(fd.get()), O_WRONLY | O_TRUNC);
  EXPECT_EQ(stat_of(fd.get()).st_size, 0);
}

TEST_F(Unlink, NewFileOfTheSameNameIsAnother) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("file", "old");
  const Fd old = open_ok("file", O_RDWR);
  ASSERT_OK(unlink("file"));
  write_file("file", "new content");
  EXPECT_EQ(read_all(old.get()), "old");
  EXPECT_EQ(read_file("file"), "new content");
  EXPECT_NE(stat_of(old.get()).st_ino, lstat_of("file").st_ino);
  ASSERT_OK(ftruncate(old.get(), 0));
  EXPECT_EQ(lstat_of("file").st_size, 11);
}

TEST_F(Unlink, OneOfTwoNames) {
  REQUIRE_TRAIT(hard_links);
  write_file("a", "x");
  ASSERT_OK(link("a", "b"));
  const Fd fd = open_ok("a", O_RDONLY);
  ASSERT_OK(unlink("a"));
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 1u);
  EXPECT_EQ(lstat_of("b").st_nlink, 1u);
  ASSERT_OK(unlink("b"));
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0u);
  EXPECT_EQ(read_all(fd.get()), "x");
}

TEST_F(Unlink, ManyOpenUnlinkedFiles) {
  REQUIRE_TRAIT(unlinked_open);
  std::vector<Fd> files;
  for (int i = 0; i < 200; ++i) {
    write_file("file", std::to_string(i));
    files.push_back(open_ok("file", O_RDONLY));
    ASSERT_OK(unlink("file"));
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(read_all(files[static_cast<std::size_t>(i)].get()), std::to_string(i));
  EXPECT_TRUE(names_of(".").empty());
}

TEST_F(Unlink, EveryType) {
  if (options().traits.symlinks) {
    write_file("target", "x");
    ASSERT_OK(symlink("target", "link"));
    ASSERT_OK(unlink("link"));
    EXPECT_TRUE(exists("target"));
    ASSERT_OK(mkdir("dir", 0755));
    ASSERT_OK(symlink("dir", "dirlink"));
    ASSERT_OK(unlink("dirlink"));
    EXPECT_TRUE(exists("dir"));
  }
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("fifo", 0644));
    ASSERT_OK(unlink("fifo"));
    ASSERT_OK(mknod("sock", S_IFSOCK | 0644, 0));
    ASSERT_OK(unlink("sock"));
  }
  if (options().traits.devices) {
    ASSERT_OK(mknod("null", S_IFCHR | 0644, 0x103));
    ASSERT_OK(unlink("null"));
  }
}

TEST_F(Unlink, PermissionIsTheFoldersNotTheFiles) {
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(mkdir("shut", 0755));
  write_file("shut/open", "x");
  ASSERT_OK(chmod("shut/open", 0666));
  write_file("locked", "x", 0);
  as_user(kAlice, [] {
    EXPECT_ERRNO(unlink("shut/open"), EACCES);
    EXPECT_ERRNO(unlink("shut/absent"), ENOENT);
    EXPECT_OK(unlink("locked"));
  });
}

TEST_F(Unlink, WhileAnotherProcessHasItOpen) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("file", "shared");
  const Gate opened;
  const Gate gone;
  Child reader([&] {
    const Fd fd = open_ok("file", O_RDONLY);
    opened.open();
    ASSERT_TRUE(gone.wait());
    EXPECT_EQ(read_all(fd.get()), "shared");
    EXPECT_EQ(stat_of(fd.get()).st_nlink, 0u);
  });
  ASSERT_TRUE(opened.wait());
  ASSERT_OK(unlink("file"));
  gone.open();
  reader.join();
}

}  // namespace
}  // namespace isthmus::conformance
