// What a name may be, how long names and paths may get; deep trees.
#include "tests/conformance/folder.h"

#include <algorithm>
#include <climits>
#include <cstring>

namespace isthmus::conformance {
namespace {

class Names : public FolderTest {};

TEST_F(Names, LongestName) {
  const std::string longest(options().traits.name_max, 'n');
  const std::string more = longest + "n";
  struct stat about {};
  write_file(longest, "x");
  EXPECT_EQ(names_of("."), std::vector<std::string>{longest});
  EXPECT_EQ(read_file(longest), "x");
  ASSERT_OK(unlink(longest.c_str()));
  ASSERT_OK(mkdir(longest.c_str(), 0755));
  write_file(longest + "/" + longest, "y");
  EXPECT_EQ(read_file(longest + "/" + longest), "y");
  EXPECT_ERRNO(open(more.c_str(), O_WRONLY | O_CREAT, 0644), ENAMETOOLONG);
  EXPECT_ERRNO(mkdir(more.c_str(), 0755), ENAMETOOLONG);
  EXPECT_ERRNO(stat(more.c_str(), &about), ENAMETOOLONG);
  EXPECT_ERRNO(unlink(more.c_str()), ENAMETOOLONG);
  EXPECT_ERRNO(rmdir(more.c_str()), ENAMETOOLONG);
  EXPECT_ERRNO(stat((more + "/x").c_str(), &about), ENAMETOOLONG);
  if (options().traits.symlinks) {
    EXPECT_ERRNO(symlink("x", more.c_str()), ENAMETOOLONG);
  }
  if (options().traits.hard_links) {
    EXPECT_ERRNO(link((longest + "/" + longest).c_str(), more.c_str()), ENAMETOOLONG);
  }
  if (options().traits.special_files) {
    EXPECT_ERRNO(mkfifo(more.c_str(), 0644), ENAMETOOLONG);
  }
}

TEST_F(Names, AnyBytes) {
  REQUIRE_TRAIT(any_bytes_in_names);
  std::vector<std::string> want;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/') continue;
    want.push_back(std::string("b") + static_cast<char>(byte));
  }
  for (const char* name :
       {"\n", " ", "...", ".hidden", "-rf", "~", "a:b", "C:\\x", "\xff\xfe", "\xc3", "\xf0\x80\x80\xaf", "caf\xc3\xa9",
        "cafe\xcc\x81", "\xe2\x82\xac", "*?", "con", "trailing.", "trailing "}) {
    want.emplace_back(name);
  }
  for (const auto& name : want) {
    const Fd fd(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    ASSERT_TRUE(static_cast<bool>(fd)) << ::testing::PrintToString(name) << ": " << error_name(errno);
    write_all(fd.get(), name, 0);
  }
  std::sort(want.begin(), want.end());
  EXPECT_EQ(names_of("."), want);
  for (const auto& name : want) EXPECT_EQ(read_file(name), name);
  for (const auto& name : want) EXPECT_OK(unlink(name.c_str()));
  EXPECT_TRUE(names_of(".").empty());
}

TEST_F(Names, CaseMatters) {
  REQUIRE_TRAIT(case_sensitive);
  write_file("name", "1");
  write_file("NAME", "2");
  write_file("Name", "3");
  EXPECT_EQ(names_of("."), (std::vector<std::string>{"NAME", "Name", "name"}));
  EXPECT_EQ(read_file("name"), "1");
  ASSERT_OK(rename("name", "nAME"));
  EXPECT_EQ(names_of("."), (std::vector<std::string>{"NAME", "Name", "nAME"}));
}

TEST_F(Names, RedundantSlashesAndDots) {
  ASSERT_OK(mkdir("dir", 0755));
  write_file("dir/file", "x");
  for (const char* path : {"./dir/file", "dir//file", "dir/./file", "dir/../dir/file", ".//.//dir///file"}) {
    EXPECT_EQ(read_file(path), "x") << path;
  }
  EXPECT_EQ(read_file(root() + "//dir/file"), "x");
}

TEST_F(Names, LongestPath) {
  struct stat about {};
  std::string path = "dir";
  ASSERT_OK(mkdir("dir", 0755));
  while (path.size() + 202 < PATH_MAX) {
    path += "/" + std::string(200, 'p');
    ASSERT_OK(mkdir(path.c_str(), 0755));
  }
  const std::string file = path + "/" + std::string(PATH_MAX - 2 - path.size(), 'f');
  ASSERT_EQ(file.size(), static_cast<std::size_t>(PATH_MAX) - 1);
  write_file(file, "deep");
  EXPECT_EQ(read_file(file), "deep");
  EXPECT_ERRNO(stat((file + "f").c_str(), &about), ENAMETOOLONG);
  EXPECT_ERRNO(open((file + "f").c_str(), O_WRONLY | O_CREAT, 0644), ENAMETOOLONG);
  ASSERT_OK(rename(file.c_str(), "short"));
  EXPECT_EQ(read_file("short"), "deep");
}

TEST_F(Names, ThousandLevels) {
  constexpr int kLevels = 1000;
  for (int level = 0; level < kLevels; ++level) {
    ASSERT_OK(mkdir("level", 0755)) << level;
    ASSERT_OK(chdir("level")) << level;
  }
  write_file("file", "bottom");
  char buffer[16384];
  const char* const cwd = getcwd(buffer, sizeof buffer);
  ASSERT_OK(cwd) << "getcwd of a path longer than PATH_MAX";
  EXPECT_EQ(strlen(buffer), root().size() + kLevels * strlen("/level"));
  const Fd bottom = open_ok(".", O_RDONLY | O_DIRECTORY);
  for (int level = 0; level < kLevels; ++level) ASSERT_OK(chdir("..")) << level;
  EXPECT_EQ(lstat_of(".").st_ino, lstat_of(root()).st_ino);
  ASSERT_OK(rename("level", "moved"));
  const Fd file(openat(bottom.get(), "file", O_RDONLY));
  EXPECT_EQ(read_all(file.get()), "bottom");
}

TEST_F(Names, WorkingDirectory) {
  ASSERT_OK(mkdir("a", 0755));
  ASSERT_OK(mkdir("a/b", 0755));
  ASSERT_OK(chdir("a/b"));
  char buffer[PATH_MAX];
  ASSERT_OK(getcwd(buffer, sizeof buffer));
  EXPECT_EQ(buffer, root() + "/a/b");
  ASSERT_OK(rename((root() + "/a").c_str(), (root() + "/c").c_str()));
  ASSERT_OK(getcwd(buffer, sizeof buffer));
  EXPECT_EQ(buffer, root() + "/c/b");
  write_file("file", "x");
  EXPECT_TRUE(exists(root() + "/c/b/file"));
  EXPECT_ERRNO(chdir("file"), ENOTDIR);
  EXPECT_ERRNO(chdir("absent"), ENOENT);
  EXPECT_ERRNO(getcwd(buffer, 3), ERANGE);
  ASSERT_OK(chdir(root().c_str()));
}

}  // namespace
}  // namespace isthmus::conformance
