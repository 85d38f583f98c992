// mkdir(2) and rmdir(2), and what directories count.
#include "tests/conformance/folder.h"

namespace isthmus::conformance {
namespace {

class Directory : public FolderTest {};

TEST_F(Directory, MakeAppliesUmask) {
  ASSERT_OK(mkdir("a", 0777));
  EXPECT_EQ(mode_of("a"), 0755u);
  umask(0);
  ASSERT_OK(mkdir("b", 0751));
  EXPECT_EQ(mode_of("b"), 0751u);
  ASSERT_OK(mkdir("c", 01777));
  EXPECT_EQ(mode_of("c"), 01777u);
  ASSERT_OK(mkdir("d", 0));
  EXPECT_EQ(mode_of("d"), 0u);
  EXPECT_TRUE(S_ISDIR(lstat_of("a").st_mode));
  EXPECT_TRUE(names_of("a").empty());
  ASSERT_OK(mkdir("slash/", 0755));
  EXPECT_TRUE(exists("slash"));
}

TEST_F(Directory, MakeErrors) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_ERRNO(mkdir("file", 0755), EEXIST);
  EXPECT_ERRNO(mkdir("dir", 0755), EEXIST);
  EXPECT_ERRNO(mkdir(".", 0755), EEXIST);
  EXPECT_ERRNO(mkdir("..", 0755), EEXIST);
  EXPECT_ERRNO(mkdir("/", 0755), EEXIST);
  EXPECT_ERRNO(mkdir("no/such", 0755), ENOENT);
  EXPECT_ERRNO(mkdir("file/below", 0755), ENOTDIR);
  EXPECT_ERRNO(mkdir("", 0755), ENOENT);
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("nowhere", "dangling"));
    EXPECT_ERRNO(mkdir("dangling", 0755), EEXIST);
    EXPECT_FALSE(exists("nowhere"));
  }
}

TEST_F(Directory, RemoveErrors) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(mkdir("dir/sub", 0755));
  EXPECT_ERRNO(rmdir("dir"), ENOTEMPTY, EEXIST);
  EXPECT_ERRNO(rmdir("file"), ENOTDIR);
  EXPECT_ERRNO(rmdir("absent"), ENOENT);
  EXPECT_ERRNO(rmdir("dir/sub/."), EINVAL);
  EXPECT_ERRNO(rmdir("dir/sub/.."), ENOTEMPTY, EEXIST);
  EXPECT_ERRNO(rmdir("file/x"), ENOTDIR);
  EXPECT_ERRNO(unlink("dir"), EISDIR, EPERM);
  EXPECT_ERRNO(unlinkat(AT_FDCWD, "file", AT_REMOVEDIR), ENOTDIR);
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("dir/sub", "link"));
    EXPECT_ERRNO(rmdir("link"), ENOTDIR);
    EXPECT_ERRNO(rmdir("link/"), ENOTDIR);
  }
  ASSERT_OK(rmdir("dir/sub/"));
  ASSERT_OK(unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR));
  EXPECT_FALSE(exists("dir"));
}

TEST_F(Directory, EveryTypeOfEntryKeepsItFromBeingRemoved) {
  const Traits& traits = options().traits;
  const auto try_with = [](const char* what) {
    SCOPED_TRACE(what);
    EXPECT_ERRNO(rmdir("dir"), ENOTEMPTY, EEXIST);
    EXPECT_OK(unlink("dir/x"));
    EXPECT_OK(rmdir("dir"));
  };
  ASSERT_OK(mkdir("dir", 0755));
  write_file("dir/x", "");
  try_with("file");
  if (traits.symlinks) {
    ASSERT_OK(mkdir("dir", 0755));
    ASSERT_OK(symlink("nowhere", "dir/x"));
    try_with("symlink");
  }
  if (traits.special_files) {
    ASSERT_OK(mkdir("dir", 0755));
    ASSERT_OK(mkfifo("dir/x", 0644));
    try_with("fifo");
  }
}

TEST_F(Directory, LinkCountIsTwoPlusSubdirectories) {
  REQUIRE_TRAIT(dir_nlink);
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_EQ(lstat_of("dir").st_nlink, 2u);
  ASSERT_OK(mkdir("dir/a", 0755));
  ASSERT_OK(mkdir("dir/b", 0755));
  write_file("dir/file", "x");
  EXPECT_EQ(lstat_of("dir").st_nlink, 4u);
  ASSERT_OK(rmdir("dir/a"));
  EXPECT_EQ(lstat_of("dir").st_nlink, 3u);
  ASSERT_OK(mkdir("other", 0755));
  ASSERT_OK(rename("dir/b", "other/b"));
  EXPECT_EQ(lstat_of("dir").st_nlink, 2u);
  EXPECT_EQ(lstat_of("other").st_nlink, 3u);
  ASSERT_OK(mkdir("other/c", 0755));
  ASSERT_OK(rename("other/b", "other/c"));  // replaces a directory
  EXPECT_EQ(lstat_of("other").st_nlink, 3u);
}

TEST_F(Directory, RemovedWhileOpen) {
  REQUIRE_TRAIT(unlinked_open);
  ASSERT_OK(mkdir("dir", 0755));
  const Fd dir = open_ok("dir", O_RDONLY | O_DIRECTORY);
  ASSERT_OK(rmdir("dir"));
  EXPECT_ERRNO(openat(dir.get(), "new", O_WRONLY | O_CREAT, 0644), ENOENT);
  EXPECT_ERRNO(mkdirat(dir.get(), "new", 0755), ENOENT);
  EXPECT_EQ(stat_of(dir.get()).st_nlink, 0u);
  ASSERT_OK(mkdir("dir", 0755));  // the name is free again
  EXPECT_NE(stat_of(dir.get()).st_nlink, lstat_of("dir").st_nlink);
}

TEST_F(Directory, RemovedWhileWorkingDirectory) {
  ASSERT_OK(mkdir("dir", 0755));
  const std::string top = root();
  in_child([&] {
    ASSERT_OK(chdir("dir"));
    ASSERT_OK(rmdir((top + "/dir").c_str()));
    char buffer[4096];
    EXPECT_ERRNO(getcwd(buffer, sizeof buffer), ENOENT);
    EXPECT_ERRNO(open("file", O_WRONLY | O_CREAT, 0644), ENOENT);
  });
}

TEST_F(Directory, DotDotLeadsToTheParent) {
  ASSERT_OK(mkdir("a", 0755));
  ASSERT_OK(mkdir("a/b", 0755));
  ASSERT_OK(mkdir("c", 0755));
  EXPECT_EQ(lstat_of("a/b/..").st_ino, lstat_of("a").st_ino);
  EXPECT_EQ(lstat_of("a/b/.").st_ino, lstat_of("a/b").st_ino);
  const Fd b = open_ok("a/b", O_RDONLY | O_DIRECTORY);
  ASSERT_OK(rename("a/b", "c/b"));
  const Fd parent(openat(b.get(), "..", O_PATH));
  EXPECT_EQ(stat_of(parent.get()).st_ino, lstat_of("c").st_ino);
  write_file("c/b/../here", "x");
  EXPECT_TRUE(exists("c/here"));
}

TEST_F(Directory, GroupOfASetGroupDirectoryIsInherited) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(chown("dir", 0, kTeam));
  ASSERT_OK(chmod("dir", 02777));
  as_user(kCarol, [] {
    write_file("dir/file", "x");
    ASSERT_OK(mkdir("dir/sub", 0755));
  });
  EXPECT_EQ(lstat_of("dir/file").st_gid, kTeam);
  EXPECT_EQ(lstat_of("dir/file").st_uid, kCarol.uid);
  EXPECT_EQ(mode_of("dir/file") & S_ISGID, 0u);
  EXPECT_EQ(lstat_of("dir/sub").st_gid, kTeam);
  EXPECT_EQ(mode_of("dir/sub"), 02755u);
  as_user(kCarol, [] { ASSERT_OK(mkdir("dir/sub/deep", 0700)); });
  EXPECT_EQ(mode_of("dir/sub/deep"), 02700u);
  EXPECT_EQ(lstat_of("dir/sub/deep").st_gid, kTeam);
  if (options().traits.symlinks) {
    as_user(kCarol, [] { ASSERT_OK(symlink("x", "dir/link")); });
    EXPECT_EQ(lstat_of("dir/link").st_gid, kTeam);
  }
  if (options().traits.special_files) {
    as_user(kCarol, [] { ASSERT_OK(mkfifo("dir/fifo", 0644)); });
    EXPECT_EQ(lstat_of("dir/fifo").st_gid, kTeam);
  }
}

TEST_F(Directory, StickyProtectsTheEntriesOfOthers) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(mkdir("tmp", 0777));
  ASSERT_OK(chmod("tmp", 01777));
  as_user(kAlice, [] {
    write_file("tmp/hers", "x", 0666);
    ASSERT_OK(mkdir("tmp/herdir", 0777));
  });
  as_user(kBob, [] {
    EXPECT_ERRNO(unlink("tmp/hers"), EPERM, EACCES);
    EXPECT_ERRNO(rmdir("tmp/herdir"), EPERM, EACCES);
    EXPECT_ERRNO(rename("tmp/hers", "tmp/stolen"), EPERM, EACCES);
    write_file("tmp/his", "y");
    EXPECT_ERRNO(rename("tmp/his", "tmp/hers"), EPERM, EACCES);
    EXPECT_OK(rename("tmp/his", "tmp/still_his"));
    EXPECT_OK(unlink("tmp/still_his"));
  });
  as_user(kAlice, [] { EXPECT_OK(unlink("tmp/hers")); });
  ASSERT_OK(chown("tmp", kBob.uid, kBob.gid));
  as_user(kBob, [] { EXPECT_OK(rmdir("tmp/herdir")); });  // the owner of the directory may
}

TEST_F(Directory, ManySubdirectories) {
  ASSERT_OK(mkdir("dir", 0755));
  for (int i = 0; i < 300; ++i) ASSERT_OK(mkdir(("dir/" + std::to_string(i)).c_str(), 0755));
  EXPECT_EQ(names_of("dir").size(), 300u);
  if (options().traits.dir_nlink) {
    EXPECT_EQ(lstat_of("dir").st_nlink, 302u);
  }
  for (int i = 0; i < 300; ++i) ASSERT_OK(rmdir(("dir/" + std::to_string(i)).c_str()));
  EXPECT_OK(rmdir("dir"));
}

}  // namespace
}  // namespace isthmus::conformance
