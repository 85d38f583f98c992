// open(2): creation flags, access modes, O_PATH, names with a slash at the end.
#include "tests/conformance/folder.h"

namespace isthmus::conformance {
namespace {

class Open : public FolderTest {};

TEST_F(Open, CreateAppliesUmaskAndKeepsTheModeOfAnExistingFile) {
  umask(027);
  open_ok("a", O_WRONLY | O_CREAT, 0666);
  EXPECT_EQ(mode_of("a"), 0640u);
  open_ok("a", O_WRONLY | O_CREAT, 0777);
  EXPECT_EQ(mode_of("a"), 0640u);
  umask(0);
  open_ok("b", O_WRONLY | O_CREAT, 0777);
  EXPECT_EQ(mode_of("b"), 0777u);
  open_ok("c", O_WRONLY | O_CREAT, 04750);
  EXPECT_EQ(mode_of("c"), 04750u);
  open_ok("d", O_WRONLY | O_CREAT, 01700);
  EXPECT_EQ(mode_of("d"), 01700u);
  open_ok("e", O_RDONLY | O_CREAT, 0);
  EXPECT_EQ(mode_of("e"), 0u);
  EXPECT_EQ(lstat_of("e").st_size, 0);
  EXPECT_EQ(lstat_of("e").st_nlink, 1u);
}

TEST_F(Open, CreateNeedsTheParent) {
  EXPECT_ERRNO(open("no/such", O_WRONLY | O_CREAT, 0644), ENOENT);
  write_file("file", "x");
  EXPECT_ERRNO(open("file/below", O_WRONLY | O_CREAT, 0644), ENOTDIR);
  EXPECT_ERRNO(open("file/.", O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(open("", O_WRONLY | O_CREAT, 0644), ENOENT);
  EXPECT_ERRNO(open("absent", O_RDONLY), ENOENT);
  EXPECT_ERRNO(open("absent", O_RDWR | O_TRUNC), ENOENT);
  EXPECT_FALSE(exists("absent"));
}

TEST_F(Open, ExclusiveFailsForEveryTypeThatExists) {
  write_file("file", "kept");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_ERRNO(open("file", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
  EXPECT_ERRNO(open("file", O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, 0644), EEXIST);
  EXPECT_EQ(read_file("file"), "kept");
  EXPECT_ERRNO(open("dir", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST, EISDIR);
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("file", "to_file"));
    ASSERT_OK(symlink("nowhere", "dangling"));
    EXPECT_ERRNO(open("to_file", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    EXPECT_ERRNO(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    EXPECT_FALSE(exists("nowhere"));
  }
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("fifo", 0644));
    EXPECT_ERRNO(open("fifo", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
  }
  open_ok("new", O_WRONLY | O_CREAT | O_EXCL);
  EXPECT_ERRNO(open("new", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
}

TEST_F(Open, CreateFollowsADanglingLink) {
  REQUIRE_TRAIT(symlinks);
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(symlink("dir/target", "link"));
  const Fd fd = open_ok("link", O_WRONLY | O_CREAT);
  write_all(fd.get(), "through", 0);
  EXPECT_TRUE(S_ISLNK(lstat_of("link").st_mode));
  EXPECT_EQ(read_file("dir/target"), "through");
}

TEST_F(Open, NoFollow) {
  REQUIRE_TRAIT(symlinks);
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  write_file("dir/file", "y");
  ASSERT_OK(symlink("file", "link"));
  ASSERT_OK(symlink("dir", "dirlink"));
  EXPECT_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  EXPECT_ERRNO(open("link", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644), ELOOP);
  EXPECT_ERRNO(open("dirlink", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR, ELOOP);
  open_ok("dirlink/file", O_RDONLY | O_NOFOLLOW);  // only the last component counts
  const Fd link = open_ok("link", O_PATH | O_NOFOLLOW);
  EXPECT_TRUE(S_ISLNK(stat_of(link.get()).st_mode));
  char target[16] = {};
  EXPECT_EQ(readlinkat(link.get(), "", target, sizeof target), 4);
  EXPECT_STREQ(target, "file");
}

TEST_F(Open, DirectoryFlag) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_ERRNO(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  EXPECT_ERRNO(open("absent", O_RDONLY | O_DIRECTORY), ENOENT);
  open_ok("dir", O_RDONLY | O_DIRECTORY);
  open_ok("dir", O_RDONLY);
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("dir", "link"));
    ASSERT_OK(symlink("file", "filelink"));
    open_ok("link", O_RDONLY | O_DIRECTORY);
    EXPECT_ERRNO(open("filelink", O_RDONLY | O_DIRECTORY), ENOTDIR);
  }
}

TEST_F(Open, DirectoriesAreNotWritable) {
  ASSERT_OK(mkdir("dir", 0777));
  EXPECT_ERRNO(open("dir", O_WRONLY), EISDIR);
  EXPECT_ERRNO(open("dir", O_RDWR), EISDIR);
  EXPECT_ERRNO(open("dir", O_RDONLY | O_CREAT, 0644), EISDIR);
  EXPECT_ERRNO(open("dir", O_WRONLY | O_TRUNC), EISDIR);
  const Fd dir = open_ok("dir", O_RDONLY);
  char byte = 0;
  EXPECT_ERRNO(read(dir.get(), &byte, 1), EISDIR);
  EXPECT_ERRNO(write(dir.get(), &byte, 1), EBADF);
}

TEST_F(Open, SlashAtTheEndMeansDirectory) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  open_ok("dir/", O_RDONLY);
  EXPECT_ERRNO(open("file/", O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(open("new/", O_WRONLY | O_CREAT, 0644), EISDIR);
  EXPECT_FALSE(exists("new"));
}

TEST_F(Open, Truncate) {
  write_file("file", pattern(10000, 1));
  const Fd reader = open_ok("file", O_RDONLY);
  { const Fd fd = open_ok("file", O_WRONLY | O_TRUNC); }
  EXPECT_EQ(lstat_of("file").st_size, 0);
  EXPECT_EQ(read_all(reader.get()), "");
  write_file("file", "abc");
  { const Fd fd = open_ok("file", O_RDWR | O_CREAT | O_TRUNC); }
  EXPECT_EQ(lstat_of("file").st_size, 0);
  EXPECT_EQ(mode_of("file"), 0644u);
}

TEST_F(Open, AccessModes) {
  write_file("file", "abc");
  char byte = 'X';
  const Fd reader = open_ok("file", O_RDONLY);
  EXPECT_ERRNO(write(reader.get(), &byte, 1), EBADF);
  EXPECT_ERRNO(ftruncate(reader.get(), 0), EINVAL, EBADF);
  EXPECT_EQ(fcntl(reader.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  const Fd writer = open_ok("file", O_WRONLY);
  EXPECT_ERRNO(read(writer.get(), &byte, 1), EBADF);
  EXPECT_ERRNO(pread(writer.get(), &byte, 1, 0), EBADF);
  EXPECT_EQ(write(writer.get(), &byte, 1), 1);
  EXPECT_EQ(fcntl(writer.get(), F_GETFL) & O_ACCMODE, O_WRONLY);
  const Fd both = open_ok("file", O_RDWR | O_APPEND);
  EXPECT_EQ(fcntl(both.get(), F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
  EXPECT_EQ(read_all(both.get()), "Xbc");
}

TEST_F(Open, PathDescriptorsGiveNoAccess) {
  write_file("file", "abc", 0000);
  ASSERT_OK(mkdir("dir", 0755));
  write_file("dir/inner", "in");
  const Fd fd = open_ok("file", O_PATH);
  char byte = 0;
  EXPECT_ERRNO(read(fd.get(), &byte, 1), EBADF);
  EXPECT_ERRNO(write(fd.get(), &byte, 1), EBADF);
  EXPECT_ERRNO(fchmod(fd.get(), 0644), EBADF);
  EXPECT_ERRNO(fchown(fd.get(), 0, 0), EBADF);
  EXPECT_ERRNO(ftruncate(fd.get(), 0), EBADF);
  EXPECT_EQ(stat_of(fd.get()).st_size, 3);
  const Fd dir = open_ok("dir", O_PATH | O_DIRECTORY);
  const Fd inner(openat(dir.get(), "inner", O_RDONLY));
  EXPECT_EQ(read_all(inner.get()), "in");
  EXPECT_OK(fchdir(dir.get()));
  EXPECT_EQ(read_file("inner"), "in");
  EXPECT_OK(chdir(root().c_str()));
  EXPECT_OK(chmod(fd_path(fd.get()).c_str(), 0600));  // the link in /proc leads to the file itself
  EXPECT_EQ(mode_of("file"), 0600u);
}

TEST_F(Open, OffsetsBelongToTheOpen) {
  write_file("file", "0123456789");
  const Fd one = open_ok("file", O_RDONLY);
  const Fd two = open_ok("file", O_RDONLY);
  const Fd same(dup(one.get()));
  char text[4] = {};
  EXPECT_EQ(read(one.get(), text, 3), 3);
  EXPECT_EQ(lseek(same.get(), 0, SEEK_CUR), 3);
  EXPECT_EQ(lseek(two.get(), 0, SEEK_CUR), 0);
  EXPECT_EQ(lseek(one.get(), -1, SEEK_END), 9);
  EXPECT_ERRNO(lseek(one.get(), -1, SEEK_SET), EINVAL);
  EXPECT_ERRNO(lseek(one.get(), -11, SEEK_END), EINVAL);
  EXPECT_EQ(lseek(one.get(), 100, SEEK_SET), 100);
  EXPECT_EQ(read(one.get(), text, 3), 0);
  EXPECT_EQ(lstat_of("file").st_size, 10);
}

TEST_F(Open, CreatorMayWriteEvenIfTheModeForbidsIt) {
  REQUIRE_TRAIT(other_users);
  as_user(kAlice, [] {
    const Fd fd = open_ok("secret", O_RDWR | O_CREAT, 0);
    EXPECT_EQ(write(fd.get(), "abc", 3), 3);
    EXPECT_EQ(read_all(fd.get()), "abc");
    EXPECT_ERRNO(open("secret", O_RDONLY), EACCES);
    EXPECT_ERRNO(open("secret", O_RDWR | O_CREAT, 0666), EACCES);
  });
  EXPECT_EQ(lstat_of("secret").st_uid, options().traits.owners ? kAlice.uid : lstat_of("secret").st_uid);
  EXPECT_EQ(read_file("secret"), "abc");  // root may
}

TEST_F(Open, NoAtimeOnlyForTheOwner) {
  REQUIRE_TRAIT(other_users);
  write_file("file", "x", 0644);
  open_ok("file", O_RDONLY | O_NOATIME);
  as_user(kAlice, [] { EXPECT_ERRNO(open("file", O_RDONLY | O_NOATIME), EPERM); });
}

TEST_F(Open, CreateInAFolderWithoutWritePermission) {
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(mkdir("dir", 0755));
  write_file("dir/there", "x");
  ASSERT_OK(chmod("dir/there", 0666));
  as_user(kAlice, [] {
    EXPECT_ERRNO(open("dir/new", O_WRONLY | O_CREAT, 0644), EACCES);
    open_ok("dir/there", O_WRONLY | O_CREAT);
    EXPECT_ERRNO(open("dir/there", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
  });
  EXPECT_EQ(names_of("dir"), std::vector<std::string>{"there"});
}

// Every mode of owner, group and others against every access mode, by root's three kinds of stranger.
TEST_F(Open, PermissionMatrix) {
  REQUIRE_TRAIT(other_users);
  REQUIRE_TRAIT(owners);
  for (mode_t bits = 0; bits < 8; ++bits) {
    const std::string name = std::to_string(bits);
    const struct {
      const char* who;
      const User& user;
      mode_t mode;
    } cases[] = {{"owner", kAlice, bits << 6}, {"group", kBob, bits << 3}, {"other", kCarol, bits}};
    for (const auto& each : cases) {
      const std::string path = each.who + name;
      write_file(path, "x");
      ASSERT_OK(chown(path.c_str(), kAlice.uid, kTeam));
      ASSERT_OK(chmod(path.c_str(), each.mode));
    }
  }
  const auto check = [](const char* who) {
    for (int bits = 0; bits < 8; ++bits) {
      const std::string path = who + std::to_string(bits);
      SCOPED_TRACE(path);
      const auto outcome = [&](int flags) { return Fd(open(path.c_str(), flags)) ? 0 : errno; };
      EXPECT_EQ(outcome(O_RDONLY), (bits & 4) != 0 ? 0 : EACCES);
      EXPECT_EQ(outcome(O_WRONLY), (bits & 2) != 0 ? 0 : EACCES);
      EXPECT_EQ(outcome(O_RDWR), (bits & 6) == 6 ? 0 : EACCES);
      EXPECT_EQ(outcome(O_PATH), 0);
      EXPECT_EQ(outcome(O_RDONLY | O_TRUNC), (bits & 6) == 6 ? 0 : EACCES);
    }
  };
  as_user(kAlice, [&] { check("owner"); });
  as_user(kBob, [&] { check("group"); });
  as_user(kCarol, [&] { check("other"); });
  for (const char* who : {"owner", "group", "other"}) open_ok(who + std::string("0"), O_RDWR);
  // The class of the caller decides, even when another class would allow more.
  ASSERT_OK(chmod("owner0", 0077));
  as_user(kAlice, [] { EXPECT_ERRNO(open("owner0", O_RDONLY), EACCES); });
  ASSERT_OK(chmod("group0", 0007));
  as_user(kBob, [] { EXPECT_ERRNO(open("group0", O_RDONLY), EACCES); });
}

}  // namespace
}  // namespace isthmus::conformance
