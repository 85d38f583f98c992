#include <gtest/gtest.h>

#include <thread>

#include "fs/archive/test_tools.h"

// Archives made by the real tools, compared with the folder that they were made from.
// libarchive calls mktime(3), which guards the time zone with a lock of the C library that ThreadSanitizer does not
// see.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the name is the sanitizer's
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:tzset_internal"; }
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace isthmus::fs::archive {
namespace {

using namespace test;

struct Format {
  const char* name;
  const char* needs;    ///< tools, separated by blanks
  const char* command;  ///< run in the folder that has `src`; makes $OUT
  bool symlinks = true, modes = true, hard_links = true;
  Plan expected = Plan::stream;  ///< of the file with random bytes
};

class Formats : public ::testing::TestWithParam<Format> {};

void make_source(const Folder& f) {
  std::string src = f / "src";
  std::filesystem::create_directories(src + "/deep/er/still");
  std::filesystem::create_directories(src + "/empty");
  write_file(src + "/nothing", "");
  write_file(src + "/one", "1");
  write_file(src + "/piece", random_bytes(131'072, 1));
  write_file(src + "/piece and one", random_bytes(131'073, 2));
  write_file(src + "/random", random_bytes(1'000'003, 3));
  write_file(src + "/text", text_bytes(3'000'000, 4));
  write_file(src + "/deep/er/still/nested", text_bytes(5000, 5));
  write_file(src +
                 "/gr\xc3\xbc\xc3\x9f"
                 "e",
             "umlauts");
  ::chmod((src + "/one").c_str(), 0751);
  must(::symlink("deep/er", (src + "/to dir").c_str()) == 0, "symlink");
  must(::symlink("/etc/passwd", (src + "/absolute").c_str()) == 0, "symlink");
  must(::link((src + "/one").c_str(), (src + "/uno").c_str()) == 0, "link");
  for (int i = 0; i < 300; i++)
    write_file(fmt::format("{}/deep/small-{}", src, i), text_bytes(static_cast<size_t>(i) * 7, 6));
}

void compare(ArchiveFs& fs, const Folder& f, const Format& format) {
  auto shown = walk(fs);
  size_t seen = 0;
  for (auto& at : std::filesystem::recursive_directory_iterator(f / "src")) {
    std::string below = at.path().lexically_relative(f.path()).string();
    struct stat st;
    ASSERT_EQ(::lstat(at.path().c_str(), &st), 0);
    if (S_ISLNK(st.st_mode) && !format.symlinks) continue;
    SCOPED_TRACE(below);
    ASSERT_TRUE(shown.contains(below));
    seen++;
    const Attr& a = shown[below];
    ASSERT_EQ(a.mode & S_IFMT, st.st_mode & S_IFMT);
    if (format.modes && !S_ISLNK(st.st_mode)) {
      EXPECT_EQ(a.mode & 07777, st.st_mode & 07777u);
    }
    if (format.hard_links && !S_ISDIR(st.st_mode)) {
      EXPECT_EQ(a.nlink, st.st_nlink);
    }
    if (!S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode)) {
      EXPECT_NEAR(static_cast<double>(a.mtime.sec), static_cast<double>(st.st_mtim.tv_sec), 2);
    }
    if (S_ISLNK(st.st_mode)) {
      auto target = call_and_wait(fs, op::Readlink{{}, find(fs, below)->node});
      ASSERT_TRUE(target.ok());
      EXPECT_EQ(*target, std::filesystem::read_symlink(at.path()).string());
    } else if (S_ISREG(st.st_mode)) {
      ASSERT_EQ(a.size, static_cast<uint64_t>(st.st_size));
      auto data = content(fs, below);
      ASSERT_TRUE(data.ok()) << name_of(data.error());
      ASSERT_TRUE(*data == read_file(at.path())) << "other bytes";
    }
  }
  EXPECT_GE(seen, format.symlinks ? 315u : 313u);
}

TEST_P(Formats, WholeTreeAndRandomReads) {
  const Format& format = GetParam();
  std::istringstream tools(format.needs);
  for (std::string tool; tools >> tool;)
    if (!have(tool)) GTEST_SKIP() << "needs " << tool;
  Folder f;
  make_source(f);
  std::string out = f / "out.archive";
  ASSERT_TRUE(run(fmt::format("cd {} && OUT={} && {}", f.path(), out, format.command)));
  LogCatcher log;
  auto fs = open_archive(out);
  ASSERT_TRUE(fs);
  compare(*fs, f, format);

  auto random = find(*fs, "src/random");
  ASSERT_TRUE(random);
  EXPECT_EQ(fs->archive().index.nodes[raw(random->node) - 1].plan, format.expected);

  // A second file system with a cold cache: several threads, any order.
  auto cold = open_archive(out);
  std::map<std::string, std::string> wanted;
  for (const char* name :
       {"src/random", "src/text", "src/piece and one", "src/deep/er/still/nested", "src/deep/small-299"})
    wanted[name] = read_file(f / name);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      std::mt19937 g(t);
      for (int i = 0; i < 40; i++) {
        auto& [name, want] = *std::next(wanted.begin(), static_cast<std::ptrdiff_t>(g() % wanted.size()));
        uint64_t at = g() % (want.size() + 10);
        size_t size = g() % 300'000;
        auto got = read_at(*cold, find(*cold, name)->node, at, size);
        ASSERT_TRUE(got.ok()) << name << " " << name_of(got.error());
        ASSERT_TRUE(*got == (at < want.size() ? want.substr(at, size) : "")) << name << " at " << at;
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(log.text(), "");
}

const Format kFormats[] = {
    {"tar", "tar", "tar cf $OUT src", true, true, true, Plan::direct},
    {"tar_pax", "tar", "tar --format=pax -cf $OUT src", true, true, true, Plan::direct},
    {"tar_ustar", "tar", "tar --format=ustar -cf $OUT src", true, true, true, Plan::direct},
    {"tar_gz", "tar gzip", "tar czf $OUT src"},
    {"tar_bz2", "tar bzip2", "tar cjf $OUT src"},
    {"tar_xz", "tar xz", "tar -c src | xz -1 > $OUT"},
    {"tar_lzma", "tar xz", "tar -c src | xz -1 --format=lzma > $OUT"},
    {"tar_zst", "tar zstd", "tar -c src | zstd -q > $OUT"},
    {"tar_lz4", "tar lz4", "tar -c src | lz4 -q > $OUT"},
    {"cpio_newc", "cpio find", "find src | cpio -o -H newc > $OUT", true, true, true, Plan::direct},
    {"cpio_odc", "cpio find", "find src | cpio -o -H odc > $OUT", true, true, false, Plan::direct},
    {"zip", "zip", "zip -qry $OUT.zip src && mv $OUT.zip $OUT", true, true, false, Plan::jump},
    {"zip_stored", "zip", "zip -q0ry $OUT.zip src && mv $OUT.zip $OUT", true, true, false, Plan::direct},
    // Not by zip: 3.0-13, which some Debian 12 machines still have, cannot put links in a stream.
    {"zip_streamed", "bsdtar", "bsdtar --format=zip -cf - src | cat > $OUT", true, true, false, Plan::jump},
    {"zip_prefixed", "zip", "zip -qry x.zip src && cat /bin/true x.zip > $OUT", true, true, false, Plan::jump},
    {"zip_by_7z", "7z", "7z a -tzip -bd $OUT.zip src && mv $OUT.zip $OUT", false, false, false, Plan::direct},
    {"zip_bzip2", "7z", "7z a -tzip -mm=bzip2 -bd $OUT.zip src && mv $OUT.zip $OUT", false, false, false, Plan::direct},
    {"7z", "7z", "7z a -bd $OUT.7z src && mv $OUT.7z $OUT", false, false, false},
    {"7z_not_solid", "7z", "7z a -bd -ms=off $OUT.7z src && mv $OUT.7z $OUT", false, false, false},
    {"iso_rockridge", "genisoimage", "genisoimage -quiet -R -graft-points -o $OUT src/=src", true, false, false,
     Plan::direct},
    {"iso_joliet", "genisoimage", "genisoimage -quiet -J -joliet-long -graft-points -o $OUT src/=src", false, false,
     false, Plan::direct},
    {"xar", "bsdtar", "bsdtar --format=xar -cf $OUT src"},
    {"cab", "gcab", "touch src/empty/.keep && find src -type f -print0 | xargs -0 gcab -cz $OUT", false, false, false},
    {"rar", "python3", STORE_ARCHIVE " rar src > $OUT", true, true, false},
    {"rar5", "python3", STORE_ARCHIVE " rar5 src > $OUT", true, true, false},
    {"lha", "python3", STORE_ARCHIVE " lha src > $OUT", true, true, false},
    {"tar_gz_by_bsdtar", "bsdtar", "bsdtar -czf $OUT src"},
    {"mtree_is_not_one", "bsdtar gzip", "tar cf - src | gzip -1 > $OUT"},
};

INSTANTIATE_TEST_SUITE_P(Tools, Formats, ::testing::ValuesIn(kFormats),
                         [](auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace isthmus::fs::archive
