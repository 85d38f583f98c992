// File systems that cannot be changed: every call that would answers EROFS, and the content is that of --expect=TREE.
#include "tests/conformance/folder.h"
#include "tests/conformance/tree.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <cstring>
#include <map>

namespace isthmus::conformance {
namespace {

// Any call that changes something, below the working directory, which holds `file`, `dir` and nothing named `new`.
void expect_erofs(const std::string& file, const std::string& dir) {
  const char* const f = file.c_str();
  const char* const d = dir.c_str();
  const timespec times[2] = {{1, 0}, {1, 0}};
  EXPECT_ERRNO(open("new", O_WRONLY | O_CREAT, 0644), EROFS);
  EXPECT_ERRNO(open(f, O_WRONLY), EROFS);
  EXPECT_ERRNO(open(f, O_RDWR), EROFS);
  EXPECT_ERRNO(open(f, O_RDONLY | O_TRUNC), EROFS);
  EXPECT_ERRNO(open(f, O_WRONLY | O_APPEND), EROFS);
  EXPECT_ERRNO(open(d, O_TMPFILE | O_RDWR, 0600), EROFS, EOPNOTSUPP, EISDIR);
  EXPECT_ERRNO(mkdir("new", 0755), EROFS);
  EXPECT_ERRNO(mknod("new", S_IFREG | 0644, 0), EROFS);
  EXPECT_ERRNO(mkfifo("new", 0644), EROFS);
  EXPECT_ERRNO(symlink("x", "new"), EROFS);
  EXPECT_ERRNO(link(f, "new"), EROFS);
  EXPECT_ERRNO(unlink(f), EROFS);
  EXPECT_ERRNO(rmdir(d), EROFS);
  EXPECT_ERRNO(rename(f, "new"), EROFS);
  EXPECT_ERRNO(rename(d, "new"), EROFS);
  EXPECT_ERRNO(truncate(f, 0), EROFS);
  EXPECT_ERRNO(chmod(f, 0600), EROFS);
  EXPECT_ERRNO(chmod(d, 0700), EROFS);
  EXPECT_ERRNO(chown(f, 1, 1), EROFS);
  EXPECT_ERRNO(lchown(f, 1, 1), EROFS);
  EXPECT_ERRNO(utimensat(AT_FDCWD, f, times, 0), EROFS);
  EXPECT_ERRNO(utimensat(AT_FDCWD, f, nullptr, 0), EROFS);
  EXPECT_ERRNO(setxattr(f, "user.a", "x", 1, 0), EROFS);
  EXPECT_ERRNO(removexattr(f, "user.a"), EROFS);
  EXPECT_ERRNO(access(f, W_OK), EROFS);
  EXPECT_OK(access(f, R_OK));
  const Fd reader = open_ok(file, O_RDONLY);
  EXPECT_ERRNO(fchmod(reader.get(), 0600), EROFS);
  EXPECT_ERRNO(futimens(reader.get(), times), EROFS);
  EXPECT_ERRNO(open(f, O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST, EROFS);
  EXPECT_ERRNO(unlink("new"), ENOENT, EROFS);
  EXPECT_FALSE(exists("new"));
}

class RemountedReadOnly : public FolderTest {};

TEST_F(RemountedReadOnly, EveryChangeAnswersErofs) {
  write_file("file", "content");
  ASSERT_OK(mkdir("dir", 0755));
  const std::string here = root();
  in_child([&] {
    ASSERT_OK(unshare(CLONE_NEWNS));
    ASSERT_OK(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
    ASSERT_OK(mount(here.c_str(), here.c_str(), nullptr, MS_BIND, nullptr));
    ASSERT_OK(mount(nullptr, here.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr));
    ASSERT_OK(chdir(here.c_str()));
    expect_erofs("file", "dir");
  });
  EXPECT_EQ(read_file("file"), "content");
  EXPECT_EQ(names_of("."), (std::vector<std::string>{"dir", "file"}));
}

class ReadOnly : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!options().traits.read_only) GTEST_SKIP() << "trait read_only is off";
    if (options().expect.empty()) GTEST_SKIP() << "--expect is not given";
    ASSERT_OK(chdir(options().dir.c_str()));
  }
  void TearDown() override { EXPECT_OK(chdir("/")); }
};

// Paths of all files of a type, relative to `top`, in the order found.
void find_type(const std::string& top, const std::string& below, mode_t type, std::vector<std::string>* found) {
  const std::string root = top + "/";
  const std::string before = below.empty() ? "" : below + "/";
  for (const auto& name : names_of(root + below)) {
    const std::string path = before + name;
    const mode_t mode = lstat_of(root + path).st_mode;
    if ((mode & S_IFMT) == type) found->push_back(path);
    if (S_ISDIR(mode)) find_type(top, path, type, found);
  }
}

std::vector<std::string> paths_of(mode_t type) {
  std::vector<std::string> found;
  find_type(options().expect, "", type, &found);
  return found;
}

TEST_F(ReadOnly, TreesAreTheSame) {
  TreeRules rules;
  const Traits& traits = options().traits;
  rules.owners = traits.owners;
  rules.xattrs = traits.xattrs;
  rules.dir_nlink = traits.dir_nlink;
  rules.dir_mtime = traits.dir_mtime;
  rules.time_ns = traits.time_ns;
  rules.root = false;
  for (const auto& line : compare_trees(options().expect, options().dir, rules)) ADD_FAILURE() << line;
}

TEST_F(ReadOnly, RandomReads) {
  for (const auto& path : paths_of(S_IFREG)) {
    SCOPED_TRACE(path);
    const std::string want = read_file(options().expect + "/" + path);
    const Fd fd = open_ok(path, O_RDONLY);
    std::uint64_t state = want.size();
    for (int round = 0; round < 40; ++round) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::size_t offset = (state >> 33) % (want.size() + 10);
      const std::size_t size = (state >> 20) % 70'000 + 1;
      std::string got(size, '\0');
      const ssize_t done = pread(fd.get(), got.data(), size, static_cast<off_t>(offset));
      ASSERT_GE(done, 0) << error_name(errno);
      got.resize(static_cast<std::size_t>(done));
      ASSERT_TRUE(got == (offset < want.size() ? want.substr(offset, size) : "")) << size << " bytes at " << offset;
    }
  }
}

TEST_F(ReadOnly, MappedReads) {
  for (const auto& path : paths_of(S_IFREG)) {
    SCOPED_TRACE(path);
    const std::string want = read_file(options().expect + "/" + path);
    if (want.empty()) continue;
    const Fd fd = open_ok(path, O_RDONLY);
    void* const map = mmap(nullptr, want.size(), PROT_READ, MAP_PRIVATE, fd.get(), 0);
    ASSERT_OK(map);
    EXPECT_EQ(memcmp(map, want.data(), want.size()), 0);
    munmap(map, want.size());
  }
}

TEST_F(ReadOnly, ReaddirTypesInodesAndPlaces) {
  auto dirs = paths_of(S_IFDIR);
  dirs.emplace_back(".");
  for (const auto& path : dirs) {
    SCOPED_TRACE(path);
    DIR* stream = opendir(path.c_str());
    ASSERT_OK(stream);
    std::vector<std::pair<long, std::string>> places;
    std::map<std::string, int> counts;
    const std::string below = path + "/";
    for (;;) {
      const long place = telldir(stream);
      const dirent* entry = readdir(stream);
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      places.emplace_back(place, name);
      ++counts[name];
      const struct stat about = lstat_of(below + name);
      if (options().traits.d_type) {
        EXPECT_EQ(entry->d_type, IFTODT(about.st_mode)) << name;
      }
      if (options().traits.stable_inodes && name != "..") {
        EXPECT_EQ(entry->d_ino, about.st_ino) << name;
      }
    }
    for (const auto& [name, count] : counts) EXPECT_EQ(count, 1) << name;
    EXPECT_TRUE(counts.contains(".") && counts.contains(".."));
    for (std::size_t i = 0; i < places.size(); i += 1 + places.size() / 7) {
      seekdir(stream, places[i].first);
      const dirent* entry = readdir(stream);
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(entry->d_name, places[i].second);
    }
    closedir(stream);
    EXPECT_EQ(names_of(path).size() + 2, counts.size());
  }
}

TEST_F(ReadOnly, EveryChangeAnswersErofs) {
  const auto files = paths_of(S_IFREG);
  const auto dirs = paths_of(S_IFDIR);
  if (files.empty() || dirs.empty()) GTEST_SKIP() << "the tree has no file or no folder";
  expect_erofs(files.front(), dirs.front());
  struct statvfs about {};
  ASSERT_OK(statvfs(".", &about));
  EXPECT_NE(about.f_flag & ST_RDONLY, 0u);
}

TEST_F(ReadOnly, AbsentNames) {
  struct stat about {};
  EXPECT_ERRNO(lstat("no such name", &about), ENOENT);
  EXPECT_ERRNO(lstat(std::string(300, 'n').c_str(), &about), ENAMETOOLONG);
  const auto files = paths_of(S_IFREG);
  if (!files.empty()) {
    EXPECT_ERRNO(lstat((files.front() + "/x").c_str(), &about), ENOTDIR);
  }
  EXPECT_ERRNO(opendir((files.empty() ? "no" : files.front()).c_str()), ENOTDIR, ENOENT);
}

}  // namespace
}  // namespace isthmus::conformance
