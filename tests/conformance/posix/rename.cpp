// rename(2), renameat2(2): every type over every type, directories, links, permissions, flags.
#include "tests/conformance/folder.h"

#include <linux/fs.h>

namespace isthmus::conformance {
namespace {

class Rename : public FolderTest {};

enum class Kind { kFile, kEmptyDir, kFullDir, kSymlink, kFifo, kAbsent };
constexpr Kind kKinds[] = {Kind::kFile, Kind::kEmptyDir, Kind::kFullDir, Kind::kSymlink, Kind::kFifo, Kind::kAbsent};
constexpr const char* kKindNames[] = {"file", "empty directory", "full directory", "symlink", "fifo", "nothing"};

bool is_dir(Kind kind) { return kind == Kind::kEmptyDir || kind == Kind::kFullDir; }

bool can_make(Kind kind) {
  if (kind == Kind::kSymlink) return options().traits.symlinks;
  if (kind == Kind::kFifo) return options().traits.special_files;
  return true;
}

void make(Kind kind, const std::string& path) {
  switch (kind) {
    case Kind::kFile:
      write_file(path, path);
      break;
    case Kind::kFullDir:
      ASSERT_OK(mkdir(path.c_str(), 0755));
      write_file(path + "/inner", path);
      break;
    case Kind::kEmptyDir:
      ASSERT_OK(mkdir(path.c_str(), 0755));
      break;
    case Kind::kSymlink:
      ASSERT_OK(symlink("nowhere", path.c_str()));
      break;
    case Kind::kFifo:
      ASSERT_OK(mkfifo(path.c_str(), 0644));
      break;
    case Kind::kAbsent:
      break;
  }
}

int errno_of(int result) { return result == 0 ? 0 : errno; }

int rename2(const char* from, const char* to, unsigned flags) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags); }

TEST_F(Rename, EveryTypeOverEveryType) {
  for (const Kind from : kKinds) {
    for (const Kind to : kKinds) {
      if (!can_make(from) || !can_make(to)) continue;
      SCOPED_TRACE(std::string(kKindNames[static_cast<int>(from)]) + " over " + kKindNames[static_cast<int>(to)]);
      make(from, "from");
      make(to, "to");
      const ino_t inode = from == Kind::kAbsent ? 0 : lstat_of("from").st_ino;
      const int got = errno_of(rename("from", "to"));
      if (from == Kind::kAbsent) {
        EXPECT_EQ(error_name(got), "ENOENT");
      } else if (to == Kind::kAbsent) {
        EXPECT_EQ(got, 0) << error_name(got);
      } else if (is_dir(from) && !is_dir(to)) {
        EXPECT_EQ(error_name(got), "ENOTDIR");
      } else if (!is_dir(from) && is_dir(to)) {
        EXPECT_EQ(error_name(got), "EISDIR");
      } else if (to == Kind::kFullDir) {
        EXPECT_TRUE(got == ENOTEMPTY || got == EEXIST) << error_name(got);
      } else {
        EXPECT_EQ(got, 0) << error_name(got);
      }
      if (got == 0) {
        EXPECT_FALSE(exists("from"));
        if (options().traits.stable_inodes) {
          EXPECT_EQ(lstat_of("to").st_ino, inode);
        }
        if (from == Kind::kFile) {
          EXPECT_EQ(read_file("to"), "from");
        }
        if (from == Kind::kFullDir) {
          EXPECT_EQ(read_file("to/inner"), "from");
        }
      } else {
        EXPECT_EQ(exists("from"), from != Kind::kAbsent);
        EXPECT_EQ(exists("to"), to != Kind::kAbsent);
      }
      remove_tree("from");
      remove_tree("to");
    }
  }
}

TEST_F(Rename, IntoItsOwnSubtree) {
  ASSERT_OK(mkdir("a", 0755));
  ASSERT_OK(mkdir("a/b", 0755));
  ASSERT_OK(mkdir("a/b/c", 0755));
  EXPECT_ERRNO(rename("a", "a/x"), EINVAL);
  EXPECT_ERRNO(rename("a", "a/b/x"), EINVAL);
  EXPECT_ERRNO(rename("a", "a/b/c"), EINVAL, ENOTEMPTY);
  EXPECT_ERRNO(rename("a/b", "a"), ENOTEMPTY, EEXIST);
  EXPECT_ERRNO(rename("a/b/c", "a/b/c/d"), EINVAL);
  EXPECT_TRUE(exists("a/b/c"));
}

TEST_F(Rename, DotsAndMissingComponents) {
  ASSERT_OK(mkdir("dir", 0755));
  write_file("file", "x");
  EXPECT_ERRNO(rename("dir/.", "new"), EBUSY, EINVAL);
  EXPECT_ERRNO(rename("dir/..", "new"), EBUSY, EINVAL);
  EXPECT_ERRNO(rename("file", "dir/."), EBUSY, EINVAL);
  EXPECT_ERRNO(rename("file", "no/such"), ENOENT);
  EXPECT_ERRNO(rename("no/such", "x"), ENOENT);
  EXPECT_ERRNO(rename("file/x", "y"), ENOTDIR);
  EXPECT_ERRNO(rename("dir", "file/x"), ENOTDIR);
  EXPECT_ERRNO(rename("file", "new/"), ENOTDIR);
  EXPECT_ERRNO(rename("file/", "new"), ENOTDIR);
  EXPECT_ERRNO(rename("", "new"), ENOENT);
  EXPECT_ERRNO(rename("file", ""), ENOENT);
  EXPECT_ERRNO(rename("file", (options().native + "/isthmus.conformance.xdev").c_str()), EXDEV);
  EXPECT_OK(rename("dir/", "dir2/"));
  EXPECT_TRUE(exists("dir2"));
}

TEST_F(Rename, OntoItself) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_OK(rename("file", "file"));
  EXPECT_OK(rename("dir", "dir"));
  EXPECT_EQ(read_file("file"), "x");
  if (options().traits.hard_links) {
    ASSERT_OK(link("file", "twin"));
    EXPECT_OK(rename("file", "twin"));  // the same file: nothing happens
    EXPECT_TRUE(exists("file"));
    EXPECT_TRUE(exists("twin"));
    EXPECT_EQ(lstat_of("file").st_nlink, 2u);
  }
}

TEST_F(Rename, ReplacedFileStaysOpen) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("old", "old content");
  write_file("new", "new");
  const Fd old = open_ok("old", O_RDWR);
  const Fd fresh = open_ok("new", O_RDONLY);
  ASSERT_OK(rename("new", "old"));
  EXPECT_EQ(read_all(old.get()), "old content");
  EXPECT_EQ(stat_of(old.get()).st_nlink, 0u);
  write_all(old.get(), "OLD", 0);
  EXPECT_EQ(read_all(old.get()), "OLD content");
  EXPECT_EQ(read_all(fresh.get()), "new");
  EXPECT_EQ(read_file("old"), "new");
}

TEST_F(Rename, ReplacedLinkLosesOneName) {
  REQUIRE_TRAIT(hard_links);
  write_file("a", "a");
  ASSERT_OK(link("a", "a2"));
  write_file("b", "b");
  ASSERT_OK(rename("b", "a"));
  EXPECT_EQ(lstat_of("a2").st_nlink, 1u);
  EXPECT_EQ(read_file("a2"), "a");
  EXPECT_EQ(read_file("a"), "b");
}

TEST_F(Rename, OpenFilesAndDirectoriesFollow) {
  ASSERT_OK(mkdir("a", 0755));
  ASSERT_OK(mkdir("b", 0755));
  ASSERT_OK(mkdir("a/dir", 0755));
  write_file("a/dir/file", "x");
  const Fd file = open_ok("a/dir/file", O_RDWR);
  const Fd dir = open_ok("a/dir", O_RDONLY | O_DIRECTORY);
  ASSERT_OK(rename("a/dir", "b/moved"));
  ASSERT_OK(rename("b/moved/file", "b/moved/file2"));
  write_all(file.get(), "YZ", 0);
  EXPECT_EQ(read_file("b/moved/file2"), "YZ");
  const Fd again(openat(dir.get(), "file2", O_RDONLY));
  EXPECT_EQ(read_all(again.get()), "YZ");
  EXPECT_ERRNO(openat(dir.get(), "file", O_RDONLY), ENOENT);
  EXPECT_ERRNO(open("a/dir/file", O_RDONLY), ENOENT);
  write_file("b/moved/made_later", "");
  EXPECT_EQ(faccessat(dir.get(), "made_later", F_OK, 0), 0);
}

TEST_F(Rename, DeepDirectories) {
  std::string path = "top";
  ASSERT_OK(mkdir("top", 0755));
  for (int i = 0; i < 20; ++i) {
    path += "/d" + std::to_string(i);
    ASSERT_OK(mkdir(path.c_str(), 0755));
  }
  write_file(path + "/file", "deep");
  ASSERT_OK(rename("top", "moved"));
  EXPECT_EQ(read_file("moved" + path.substr(3) + "/file"), "deep");
  ASSERT_OK(rename("moved/d0/d1", "d1"));
  EXPECT_EQ(read_file("d1" + path.substr(9) + "/file"), "deep");
  EXPECT_TRUE(names_of("moved/d0").empty());
}

TEST_F(Rename, LongNames) {
  const std::string longest(options().traits.name_max, 'n');
  write_file("file", "x");
  ASSERT_OK(rename("file", longest.c_str()));
  ASSERT_OK(rename(longest.c_str(), "file"));
  EXPECT_ERRNO(rename("file", (longest + "n").c_str()), ENAMETOOLONG);
  EXPECT_ERRNO(rename((longest + "n").c_str(), "file"), ENAMETOOLONG);
}

TEST_F(Rename, PermissionsOfBothFolders) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  for (const char* dir : {"open", "shut"}) {
    ASSERT_OK(mkdir(dir, 0777));
    ASSERT_OK(chmod(dir, 0777));
  }
  write_file("shut/file", "x");
  write_file("open/file", "y");
  ASSERT_OK(mkdir("open/dir", 0755));
  ASSERT_OK(chmod("shut", 0755));
  as_user(kAlice, [] {
    EXPECT_ERRNO(rename("shut/file", "open/file2"), EACCES);
    EXPECT_ERRNO(rename("open/file", "shut/file2"), EACCES);
    EXPECT_ERRNO(rename("open/file", "shut/file"), EACCES);
    EXPECT_OK(rename("open/file", "open/file3"));
    // Moving a directory to another parent changes its "..", which needs write permission on it.
    EXPECT_ERRNO(rename("open/dir", "dir"), EACCES);
    EXPECT_OK(rename("open/dir", "open/dir2"));
  });
}

TEST_F(Rename, NoReplace) {
  REQUIRE_TRAIT(rename_noreplace);
  write_file("a", "a");
  write_file("b", "b");
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_ERRNO(rename2("a", "b", RENAME_NOREPLACE), EEXIST);
  EXPECT_ERRNO(rename2("a", "dir", RENAME_NOREPLACE), EEXIST);
  EXPECT_ERRNO(rename2("dir", "a", RENAME_NOREPLACE), EEXIST);
  EXPECT_ERRNO(rename2("a", "a", RENAME_NOREPLACE), EEXIST);
  EXPECT_ERRNO(rename2("absent", "c", RENAME_NOREPLACE), ENOENT);
  EXPECT_EQ(read_file("b"), "b");
  EXPECT_OK(rename2("a", "c", RENAME_NOREPLACE));
  EXPECT_EQ(read_file("c"), "a");
  EXPECT_FALSE(exists("a"));
  EXPECT_OK(rename2("dir", "dir2", RENAME_NOREPLACE));
}

TEST_F(Rename, Exchange) {
  REQUIRE_TRAIT(rename_exchange);
  ASSERT_OK(mkdir("one", 0755));
  ASSERT_OK(mkdir("two", 0755));
  write_file("one/file", "f");
  ASSERT_OK(mkdir("two/dir", 0755));
  write_file("two/dir/inner", "i");
  const ino_t file = lstat_of("one/file").st_ino;
  EXPECT_OK(rename2("one/file", "two/dir", RENAME_EXCHANGE));
  EXPECT_EQ(read_file("one/file/inner"), "i");
  EXPECT_EQ(read_file("two/dir"), "f");
  if (options().traits.stable_inodes) {
    EXPECT_EQ(lstat_of("two/dir").st_ino, file);
  }
  if (options().traits.dir_nlink) {
    EXPECT_EQ(lstat_of("one").st_nlink, 3u);
    EXPECT_EQ(lstat_of("two").st_nlink, 2u);
  }
  EXPECT_EQ(lstat_of("one/file/..").st_ino, lstat_of("one").st_ino);
  EXPECT_ERRNO(rename2("one", "absent", RENAME_EXCHANGE), ENOENT);
  EXPECT_ERRNO(rename2("absent", "one", RENAME_EXCHANGE), ENOENT);
  EXPECT_ERRNO(rename2("one", "one/file", RENAME_EXCHANGE), EINVAL);
  EXPECT_ERRNO(rename2("one/file", "one", RENAME_EXCHANGE), EINVAL, ENOTEMPTY);
  EXPECT_ERRNO(rename2("one", "two", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  EXPECT_OK(rename2("one", "one", RENAME_EXCHANGE));
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("nowhere", "sym"));
    EXPECT_OK(rename2("sym", "one", RENAME_EXCHANGE));
    EXPECT_TRUE(S_ISLNK(lstat_of("one").st_mode));
    EXPECT_TRUE(exists("sym/file/inner"));
  }
}

TEST_F(Rename, Whiteout) {
  REQUIRE_TRAIT(rename_whiteout);
  write_file("a", "a");
  ASSERT_OK(rename2("a", "b", RENAME_WHITEOUT));
  EXPECT_EQ(read_file("b"), "a");
  const struct stat about = lstat_of("a");
  EXPECT_TRUE(S_ISCHR(about.st_mode));
  EXPECT_EQ(about.st_rdev, 0u);
}

TEST_F(Rename, UnknownFlags) {
  write_file("a", "a");
  EXPECT_ERRNO(rename2("a", "b", 1U << 10), EINVAL);
  EXPECT_TRUE(exists("a"));
}

}  // namespace
}  // namespace isthmus::conformance
