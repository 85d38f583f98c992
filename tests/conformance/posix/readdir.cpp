// readdir(3) on folders at rest and on folders that change meanwhile.
#include "tests/conformance/folder.h"

#include <dirent.h>
#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace isthmus::conformance {
namespace {

class Readdir : public FolderTest {};

struct CloseDir {
  void operator()(DIR* stream) const { closedir(stream); }
};
using Stream = std::unique_ptr<DIR, CloseDir>;

Stream open_stream(const char* path) {
  Stream stream(opendir(path));
  if (!stream) ADD_FAILURE() << "opendir(" << path << "): " << error_name(errno);
  return stream;
}

// Counts of each name until the end.
std::map<std::string, int> rest_of(DIR* stream) {
  std::map<std::string, int> counts;
  errno = 0;
  while (const dirent* entry = readdir(stream)) ++counts[entry->d_name];
  EXPECT_EQ(errno, 0) << error_name(errno);
  return counts;
}

void make_files(const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    const Fd fd(open((prefix + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    ASSERT_TRUE(static_cast<bool>(fd)) << error_name(errno);
  }
}

TEST_F(Readdir, DotsAndEveryNameOnce) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/f", 3);
  const auto counts = rest_of(open_stream("dir").get());
  const std::map<std::string, int> want{{".", 1}, {"..", 1}, {"f0", 1}, {"f1", 1}, {"f2", 1}};
  EXPECT_EQ(counts, want);
  ASSERT_OK(mkdir("empty", 0755));
  EXPECT_EQ(rest_of(open_stream("empty").get()), (std::map<std::string, int>{{".", 1}, {"..", 1}}));
}

TEST_F(Readdir, TypesAndInodes) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  std::map<std::string, unsigned char> types{{"file", DT_REG}, {"dir", DT_DIR}, {".", DT_DIR}, {"..", DT_DIR}};
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("x", "link"));
    types["link"] = DT_LNK;
  }
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("fifo", 0644));
    ASSERT_OK(mknod("sock", S_IFSOCK | 0644, 0));
    types["fifo"] = DT_FIFO;
    types["sock"] = DT_SOCK;
  }
  if (options().traits.devices) {
    ASSERT_OK(mknod("chr", S_IFCHR | 0644, 0x103));
    ASSERT_OK(mknod("blk", S_IFBLK | 0644, 0x801));
    types["chr"] = DT_CHR;
    types["blk"] = DT_BLK;
  }
  const Stream stream = open_stream(".");
  while (const dirent* entry = readdir(stream.get())) {
    ASSERT_TRUE(types.contains(entry->d_name)) << entry->d_name;
    if (options().traits.d_type) {
      EXPECT_EQ(entry->d_type, types[entry->d_name]) << entry->d_name;
    }
    if (options().traits.stable_inodes) {
      EXPECT_EQ(entry->d_ino, lstat_of(entry->d_name).st_ino) << entry->d_name;
    }
    types.erase(entry->d_name);
  }
  EXPECT_TRUE(types.empty());
}

TEST_F(Readdir, NamesOfEveryLength) {
  std::map<std::string, int> want{{".", 1}, {"..", 1}};
  ASSERT_OK(mkdir("dir", 0755));
  for (std::size_t size = 1; size <= options().traits.name_max; ++size) {
    const std::string name(size, 'n');
    write_file("dir/" + name, "");
    want[name] = 1;
  }
  EXPECT_EQ(rest_of(open_stream("dir").get()), want);
}

TEST_F(Readdir, RewindSeesTheChanges) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/f", 10);
  const Stream stream = open_stream("dir");
  EXPECT_EQ(rest_of(stream.get()).size(), 12u);
  make_files("dir/g", 5);
  ASSERT_OK(unlink("dir/f0"));
  rewinddir(stream.get());
  const auto counts = rest_of(stream.get());
  EXPECT_EQ(counts.size(), 16u);
  EXPECT_FALSE(counts.contains("f0"));
  EXPECT_TRUE(counts.contains("g4"));
}

TEST_F(Readdir, TellAndSeek) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/file", 1000);
  const Stream stream = open_stream("dir");
  std::vector<std::pair<long, std::string>> places;
  for (;;) {
    const long place = telldir(stream.get());
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    places.emplace_back(place, entry->d_name);
  }
  ASSERT_EQ(places.size(), 1002u);
  for (const std::size_t i : {0u, 1u, 2u, 500u, 17u, 999u, 1001u, 3u}) {
    seekdir(stream.get(), places[i].first);
    const dirent* entry = readdir(stream.get());
    ASSERT_NE(entry, nullptr) << "entry " << i;
    EXPECT_EQ(entry->d_name, places[i].second) << "entry " << i;
  }
  seekdir(stream.get(), places[900].first);
  EXPECT_EQ(rest_of(stream.get()).size(), 102u);
}

TEST_F(Readdir, TwoStreamsAreIndependent) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/f", 500);
  const Stream one = open_stream("dir");
  for (int i = 0; i < 100; ++i) ASSERT_NE(readdir(one.get()), nullptr);
  Stream two = open_stream("dir");
  EXPECT_EQ(rest_of(two.get()).size(), 502u);
  two.reset();
  EXPECT_EQ(rest_of(one.get()).size(), 402u);
}

TEST_F(Readdir, FiveThousandEntriesWhileOthersComeAndGo) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/keep", 5000);
  make_files("dir/gone", 500);
  std::map<std::string, int> counts;
  int step = 0;
  int made = 0;
  int removed = 0;
  const Stream stream = open_stream("dir");
  while (const dirent* entry = readdir(stream.get())) {
    ++counts[entry->d_name];
    if (++step % 10 == 0 && removed < 500) {
      ASSERT_OK(unlink(("dir/gone" + std::to_string(removed++)).c_str()));
      const Fd fd = open_ok("dir/new" + std::to_string(made++), O_WRONLY | O_CREAT);
    }
    ASSERT_LT(step, 20000) << "the folder does not end";
  }
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "keep" + std::to_string(i);
    const auto found = counts.find(name);
    ASSERT_NE(found, counts.end()) << name << " is lost";
    ASSERT_EQ(found->second, 1) << name;
  }
  for (const auto& [name, count] : counts) EXPECT_EQ(count, 1) << name;
}

TEST_F(Readdir, RemovingEachEntryAsItIsRead) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/f", 3000);
  int removed = 0;
  {
    const Stream stream = open_stream("dir");
    while (const dirent* entry = readdir(stream.get())) {
      if (entry->d_name[0] == '.') continue;
      ASSERT_OK(unlinkat(dirfd(stream.get()), entry->d_name, 0)) << entry->d_name;
      ++removed;
    }
  }
  EXPECT_EQ(removed, 3000);
  EXPECT_OK(rmdir("dir"));
}

TEST_F(Readdir, RenamingWithinTheFolderWhileReading) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/keep", 2000);
  write_file("dir/mover", "");
  std::map<std::string, int> counts;
  std::string name = "dir/mover";
  const Stream stream = open_stream("dir");
  for (int step = 0; const dirent* entry = readdir(stream.get()); ++step) {
    ++counts[entry->d_name];
    if (step % 50 == 0) {
      const std::string next = "dir/mover" + std::to_string(step);
      ASSERT_OK(rename(name.c_str(), next.c_str()));
      name = next;
    }
    ASSERT_LT(step, 10000);
  }
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(counts["keep" + std::to_string(i)], 1) << i;
}

TEST_F(Readdir, RemovedFolderEnds) {
  REQUIRE_TRAIT(unlinked_open);
  ASSERT_OK(mkdir("dir", 0755));
  const Stream stream = open_stream("dir");
  ASSERT_OK(rmdir("dir"));
  int entries = 0;
  while (readdir(stream.get()) != nullptr && entries < 10) ++entries;
  EXPECT_LE(entries, 2);
}

TEST_F(Readdir, TwentyThousandFiles) {
  ASSERT_OK(mkdir("dir", 0755));
  make_files("dir/file", 20000);
  const auto counts = rest_of(open_stream("dir").get());
  EXPECT_EQ(counts.size(), 20002u);
  EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](const auto& each) { return each.second == 1; }));
  if (options().traits.stable_inodes) {
    std::set<ino_t> inodes;
    for (int i = 0; i < 20000; i += 10) inodes.insert(lstat_of("dir/file" + std::to_string(i)).st_ino);
    EXPECT_EQ(inodes.size(), 2000u);
  }
  EXPECT_ERRNO(rmdir("dir"), ENOTEMPTY, EEXIST);
}

TEST_F(Readdir, Errors) {
  write_file("file", "x");
  EXPECT_ERRNO(opendir("file"), ENOTDIR);
  EXPECT_ERRNO(opendir("absent"), ENOENT);
}

}  // namespace
}  // namespace isthmus::conformance
