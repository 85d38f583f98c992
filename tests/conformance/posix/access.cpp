// access(2), faccessat(2): by real or effective ids; search permission along a path.
#include "tests/conformance/folder.h"

#include <sys/syscall.h>

namespace isthmus::conformance {
namespace {

class Access : public FolderTest {};

TEST_F(Access, RootMayAllButExecuteWhatNobodyMay) {
  write_file("file", "x", 0);
  ASSERT_OK(mkdir("dir", 0));
  EXPECT_OK(access("file", F_OK));
  EXPECT_OK(access("file", R_OK | W_OK));
  EXPECT_ERRNO(access("file", X_OK), EACCES);
  ASSERT_OK(chmod("file", 0001));
  EXPECT_OK(access("file", X_OK));
  EXPECT_OK(access("dir", R_OK | W_OK | X_OK));
  EXPECT_ERRNO(access("absent", F_OK), ENOENT);
  EXPECT_ERRNO(access("file/x", F_OK), ENOTDIR);
  EXPECT_ERRNO(access("file", 0x100), EINVAL);
}

TEST_F(Access, Matrix) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  for (int bits = 0; bits < 8; ++bits) {
    const auto make = [&](const std::string& name, mode_t mode) {
      write_file(name, "x");
      ASSERT_OK(chown(name.c_str(), kAlice.uid, kTeam));
      ASSERT_OK(chmod(name.c_str(), mode));
    };
    const auto mode = static_cast<mode_t>(bits);
    make("u" + std::to_string(bits), mode << 6);
    make("g" + std::to_string(bits), mode << 3);
    make("o" + std::to_string(bits), mode);
  }
  const auto check = [](const char* who) {
    for (int bits = 0; bits < 8; ++bits) {
      for (int wanted = 1; wanted < 8; ++wanted) {
        const std::string name = who + std::to_string(bits);
        SCOPED_TRACE(name + " asked " + std::to_string(wanted));
        const int got = access(name.c_str(), wanted) == 0 ? 0 : errno;
        EXPECT_EQ(got, (bits & wanted) == wanted ? 0 : EACCES);
      }
    }
  };
  as_user(kAlice, [&] { check("u"); });
  as_user(kBob, [&] { check("g"); });
  as_user(kCarol, [&] { check("o"); });
}

TEST_F(Access, RealAndEffectiveIds) {
  REQUIRE_TRAIT(other_users);
  write_file("file", "x", 0600);
  in_child([] {
    ASSERT_OK(setresuid(kAlice.uid, 0, 0));
    EXPECT_ERRNO(access("file", R_OK), EACCES);
    EXPECT_OK(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
    open_ok("file", O_RDONLY);
  });
}

TEST_F(Access, SymlinksAndDescriptors) {
  REQUIRE_TRAIT(symlinks);
  ASSERT_OK(symlink("nowhere", "dangling"));
  EXPECT_ERRNO(access("dangling", F_OK), ENOENT);
  EXPECT_OK(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
  write_file("file", "x");
  const Fd fd = open_ok("file", O_PATH);
  EXPECT_OK(static_cast<int>(syscall(SYS_faccessat2, fd.get(), "", R_OK, AT_EMPTY_PATH)));
}

TEST_F(Access, SearchPermissionOfEveryFolderOnThePath) {
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(mkdir("a", 0755));
  ASSERT_OK(mkdir("a/b", 0755));
  write_file("a/b/file", "x", 0644);
  ASSERT_OK(chmod("a/b/file", 0666));
  as_user(kCarol, [] { open_ok("a/b/file", O_RDWR); });
  ASSERT_OK(chmod("a", 0744));  // may be listed, not entered
  as_user(kCarol, [] {
    struct stat about {};
    EXPECT_ERRNO(open("a/b/file", O_RDONLY), EACCES);
    EXPECT_ERRNO(stat("a/b", &about), EACCES);
    EXPECT_ERRNO(chdir("a"), EACCES);
    EXPECT_ERRNO(access("a/b/file", F_OK), EACCES);
    EXPECT_EQ(names_of("a"), std::vector<std::string>{"b"});
  });
  ASSERT_OK(chmod("a", 0711));  // may be entered, not listed
  as_user(kCarol, [] {
    open_ok("a/b/file", O_RDONLY);
    EXPECT_ERRNO(open("a", O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT_OK(chdir("a"));
  });
  ASSERT_OK(chmod("a", 0));
  const Fd b = open_ok("a/b", O_RDONLY | O_DIRECTORY);
  as_user(kCarol, [&] {
    EXPECT_ERRNO(open("a/b/file", O_RDONLY), EACCES);
    const Fd fd(openat(b.get(), "file", O_RDONLY));  // a descriptor is beyond the shut folder
    EXPECT_TRUE(static_cast<bool>(fd));
  });
  EXPECT_EQ(read_file("a/b/file"), "x");
}

TEST_F(Access, ReadOnlyFolderForStat) {
  REQUIRE_TRAIT(other_users);
  write_file("file", "x", 0);
  as_user(kCarol, [] {
    EXPECT_EQ(lstat_of("file").st_size, 1);  // stat needs no permission on the file
    EXPECT_ERRNO(access("file", R_OK), EACCES);
    EXPECT_OK(access("file", F_OK));
  });
}

TEST_F(Access, GroupsAreThoseOfTheProcessNotOfTheUser) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  write_file("file", "x");
  ASSERT_OK(chown("file", 0, 20002));
  ASSERT_OK(chmod("file", 0040));
  as_user(kBob, [] { open_ok("file", O_RDONLY); });
  as_user(User{kBob.uid, kBob.gid, {}}, [] { EXPECT_ERRNO(open("file", O_RDONLY), EACCES); });
  as_user(User{kBob.uid, 20002, {}}, [] { open_ok("file", O_RDONLY); });
  // More groups than fit into any small fixed array.
  User crowd{kCarol.uid, kCarol.gid, {}};
  for (gid_t group = 19000; group <= 20002; ++group) crowd.groups.push_back(group);
  as_user(crowd, [] { open_ok("file", O_RDONLY); });
}

}  // namespace
}  // namespace isthmus::conformance
