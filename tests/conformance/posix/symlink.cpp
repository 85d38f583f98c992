// symlink(2), readlink(2) and paths that lead through links.
#include "tests/conformance/folder.h"

#include <climits>

namespace isthmus::conformance {
namespace {

class Symlink : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(symlinks);
  }
};

std::string target_of(const std::string& path) {
  std::string text(PATH_MAX + 1, '\0');
  const ssize_t size = readlink(path.c_str(), text.data(), text.size());
  if (size < 0) return "readlink: " + error_name(errno);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

TEST_F(Symlink, TargetsOfEveryLength) {
  for (const std::size_t size :
       {1u, 2u, 59u, 60u, 61u, 127u, 128u, 255u, 256u, 1023u, 1024u, 2048u, 4000u, 4094u, 4095u}) {
    SCOPED_TRACE(size);
    std::string target(size, 't');
    for (std::size_t i = 100; i < size; i += 101) target[i] = '/';
    ASSERT_OK(symlink(target.c_str(), "link"));
    EXPECT_EQ(target_of("link"), target);
    EXPECT_EQ(lstat_of("link").st_size, static_cast<off_t>(size));
    EXPECT_TRUE(S_ISLNK(lstat_of("link").st_mode));
    EXPECT_EQ(mode_of("link"), 0777u);
    ASSERT_OK(unlink("link"));
  }
  EXPECT_ERRNO(symlink(std::string(PATH_MAX, 't').c_str(), "link"), ENAMETOOLONG);
  EXPECT_ERRNO(symlink("", "link"), ENOENT);
}

TEST_F(Symlink, TargetsAreBytes) {
  for (const char* target : {".", "..", "/", "//x//", "a/../b/", " ", "\n", "\xff\xfe\x80", "nul-free \x01"}) {
    ASSERT_OK(symlink(target, "link"));
    EXPECT_EQ(target_of("link"), target);
    ASSERT_OK(unlink("link"));
  }
}

TEST_F(Symlink, ShortBuffersTruncate) {
  ASSERT_OK(symlink("0123456789", "link"));
  char text[11] = "##########";
  EXPECT_EQ(readlink("link", text, 4), 4);
  EXPECT_STREQ(text, "0123######");
  EXPECT_ERRNO(readlink("link", text, 0), EINVAL);
}

TEST_F(Symlink, Errors) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  char text[16];
  EXPECT_ERRNO(symlink("x", "file"), EEXIST);
  EXPECT_ERRNO(symlink("x", "dir"), EEXIST);
  EXPECT_ERRNO(symlink("x", "file/y"), ENOTDIR);
  EXPECT_ERRNO(symlink("x", "no/y"), ENOENT);
  EXPECT_ERRNO(symlink("x", "new/"), ENOENT);
  EXPECT_ERRNO(readlink("file", text, sizeof text), EINVAL);
  EXPECT_ERRNO(readlink("dir", text, sizeof text), EINVAL);
  EXPECT_ERRNO(readlink("absent", text, sizeof text), ENOENT);
  ASSERT_OK(symlink("nowhere", "dangling"));
  EXPECT_ERRNO(symlink("x", "dangling"), EEXIST);
  EXPECT_ERRNO(open("dangling", O_RDONLY), ENOENT);
  EXPECT_ERRNO(chmod("dangling", 0644), ENOENT);
}

TEST_F(Symlink, LoopsAreFound) {
  ASSERT_OK(symlink("self", "self"));
  ASSERT_OK(symlink("b", "a"));
  ASSERT_OK(symlink("a", "b"));
  struct stat about {};
  EXPECT_ERRNO(stat("self", &about), ELOOP);
  EXPECT_ERRNO(open("a", O_RDONLY), ELOOP);
  EXPECT_ERRNO(open("self/x", O_RDONLY), ELOOP);
  EXPECT_ERRNO(mkdir("a/x", 0755), ELOOP);
  EXPECT_ERRNO(rename("a/x", "y"), ELOOP);
  EXPECT_ERRNO(truncate("self", 0), ELOOP);
  EXPECT_OK(lstat("self", &about));
}

TEST_F(Symlink, ChainsOf40LinksAreFollowedButNot41) {
  write_file("l0", "end");
  for (int i = 1; i <= 41; ++i)
    ASSERT_OK(symlink(("l" + std::to_string(i - 1)).c_str(), ("l" + std::to_string(i)).c_str()));
  EXPECT_EQ(read_file("l40"), "end");
  EXPECT_ERRNO(open("l41", O_RDONLY), ELOOP);
}

TEST_F(Symlink, InTheMiddleOfAPath) {
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(mkdir("dir/sub", 0755));
  write_file("dir/sub/file", "x");
  ASSERT_OK(symlink("dir/sub", "rel"));
  ASSERT_OK(symlink((root() + "/dir").c_str(), "abs"));
  ASSERT_OK(symlink("../..", "dir/sub/up"));
  EXPECT_EQ(read_file("rel/file"), "x");
  EXPECT_EQ(read_file("abs/sub/file"), "x");
  EXPECT_EQ(read_file("rel/up/abs/sub/up/rel/file"), "x");
  EXPECT_EQ(lstat_of("rel/..").st_ino, lstat_of("dir").st_ino);  // .. of the target, not of the link
  ASSERT_OK(mkdir("rel/made", 0755));
  EXPECT_TRUE(exists("dir/sub/made"));
  ASSERT_OK(symlink("dir/sub/file", "f"));
  EXPECT_ERRNO(open("f/x", O_RDONLY), ENOTDIR);
}

TEST_F(Symlink, SystemCallsThatFollowAndThatDoNot) {
  write_file("file", "content");
  ASSERT_OK(symlink("file", "link"));
  EXPECT_OK(chmod("link", 0600));
  EXPECT_EQ(mode_of("file"), 0600u);
  EXPECT_OK(truncate("link", 3));
  EXPECT_EQ(lstat_of("file").st_size, 3);
  if (options().traits.owners) {
    ASSERT_OK(lchown("link", 5, 6));
    EXPECT_EQ(lstat_of("link").st_uid, 5u);
    EXPECT_EQ(lstat_of("file").st_uid, 0u);
    ASSERT_OK(chown("link", 7, 8));
    EXPECT_EQ(lstat_of("file").st_uid, 7u);
    EXPECT_EQ(lstat_of("link").st_uid, 5u);
  }
  ASSERT_OK(rename("link", "moved"));
  EXPECT_TRUE(S_ISLNK(lstat_of("moved").st_mode));
  ASSERT_OK(unlink("moved"));
  EXPECT_TRUE(exists("file"));
}

TEST_F(Symlink, TimesOfTheLinkItself) {
  write_file("file", "content");
  ASSERT_OK(symlink("file", "link"));
  const timespec times[2] = {{1'000'000'001, 0}, {1'000'000'002, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
  EXPECT_EQ(lstat_of("link").st_mtim.tv_sec, 1'000'000'002);
  EXPECT_NE(lstat_of("file").st_mtim.tv_sec, 1'000'000'002);
}

TEST_F(Symlink, OwnerIsTheCaller) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  as_user(kAlice, [] { ASSERT_OK(symlink("/nowhere", "hers")); });
  EXPECT_EQ(lstat_of("hers").st_uid, kAlice.uid);
  EXPECT_EQ(lstat_of("hers").st_gid, kAlice.gid);
  as_user(kBob, [] { EXPECT_EQ(target_of("hers"), "/nowhere"); });
}

}  // namespace
}  // namespace isthmus::conformance
