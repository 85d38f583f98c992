#include "fs/archive/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "fs/archive/test_tools.h"

// How often data is decoded, and what happens when the cache is small, full or gone.
namespace isthmus::fs::archive {
namespace {

using namespace test;
using ::testing::HasSubstr;

class Decoding : public ::testing::Test {
 protected:
  void make(int filter, size_t files, size_t size) {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, filter);
    for (size_t i = 0; i < files; i++) m.file(name(i), data(i, size));
    m.close();
  }
  static std::string name(size_t i) { return fmt::format("d{}/f{:04}", i % 7, i); }
  static std::string data(size_t i, size_t size) { return text_bytes(size + i, static_cast<unsigned>(i)); }
  Folder folder_;
  std::string path_ = folder_ / "a.tar.x";
  LogCatcher log_;
};

TEST_F(Decoding, ArchiveOrderCostsOnePassAndWhatIsCachedCostsNone) {
  make(ARCHIVE_FILTER_GZIP, 50, 200'000);
  auto fs = open_archive(path_);
  for (size_t i = 0; i < 50; i++) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 200'000));
  EXPECT_EQ(fs->decoder().starts(), 1u);
  for (size_t i = 50; i-- > 0;) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 200'000));
  EXPECT_EQ(fs->decoder().starts(), 1u);
}

TEST_F(Decoding, WhatIsPassedOverIsKept) {
  make(ARCHIVE_FILTER_ZSTD, 50, 100'000);
  auto fs = open_archive(path_);
  for (size_t i = 50; i-- > 0;) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 100'000));
  EXPECT_EQ(fs->decoder().starts(), 1u);
}

TEST_F(Decoding, ASmallCacheGivesTheSameBytes) {
  make(ARCHIVE_FILTER_GZIP, 100, 400'000);
  ArchiveOptions o;
  o.cache_size = 1 << 20;  // rounded up to 16 MiB, less than half of the data
  auto fs = open_archive(path_, o);
  std::mt19937 g(1);
  for (int i = 0; i < 60; i++) {
    size_t f = g() % 100, at = g() % 400'000;
    auto got = read_at(*fs, find(*fs, name(f))->node, at, 200'000);
    ASSERT_TRUE(got.ok());
    ASSERT_TRUE(*got == data(f, 400'000).substr(at, 200'000));
  }
}

TEST_F(Decoding, AFileLargerThanTheCacheStreamsThrough) {
  std::string big = text_bytes(60'000'000, 1);
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_LZ4);
    m.file("small", "s").file("big", big).close();
  }
  ArchiveOptions o;
  o.cache_size = 1 << 20;
  auto fs = open_archive(path_, o);
  ASSERT_EQ(*content(*fs, "small"), "s");
  ASSERT_TRUE(*content(*fs, "big") == big);
  EXPECT_EQ(fs->decoder().starts(), 1u);
  auto node = find(*fs, "big")->node;
  EXPECT_TRUE(*read_at(*fs, node, 59'999'000, 5000) == big.substr(59'999'000));
  EXPECT_TRUE(*read_at(*fs, node, 5, 1000) == big.substr(5, 1000));
  EXPECT_EQ(*content(*fs, "small"), "s");
}

TEST_F(Decoding, ReadAheadOutOfOrderDoesNotStartAgain) {
  std::string big = text_bytes(20'000'000, 1);
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP);
    m.file("big", big).close();
  }
  auto fs = open_archive(path_);
  auto node = find(*fs, "big")->node;
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&] {
      constexpr size_t kStep = 131'072;
      for (size_t at; (at = next.fetch_add(kStep)) < big.size();)
        ASSERT_TRUE(*read_at(*fs, node, at, kStep) == big.substr(at, kStep));
    });
  for (auto& t : threads) t.join();
  EXPECT_LE(fs->decoder().starts(), 2u);
}

TEST_F(Decoding, AFullDiskIsNoError) {
  make(ARCHIVE_FILTER_GZIP, 100, 300'000);
  auto fs = open_archive(path_);
  ASSERT_TRUE(*content(*fs, name(0)) == data(0, 300'000));
  fs->spool().break_disk_for_test();
  for (size_t i = 0; i < 100; i++) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 300'000)) << i;
  EXPECT_LE(fs->decoder().starts(), 2u);
  EXPECT_THAT(log_.text(), HasSubstr("the cache of decoded data cannot grow (No space left on device)"));
  for (size_t i = 0; i < 100; i += 9) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 300'000)) << i;
}

TEST_F(Decoding, NoCacheDirectoryIsNoError) {
  make(ARCHIVE_FILTER_GZIP, 10, 300'000);
  ArchiveOptions o;
  o.cache_dir = folder_ / "absent";
  auto fs = open_archive(path_, o);
  EXPECT_THAT(log_.text(), HasSubstr("no directory for the cache"));
  for (size_t i = 0; i < 10; i++) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 300'000)) << i;
}

TEST_F(Decoding, ACacheInMemory) {
  make(ARCHIVE_FILTER_GZIP, 50, 400'000);
  ArchiveOptions o;
  o.cache_in_memory = true;
  auto fs = open_archive(path_, o);
  for (size_t i = 50; i-- > 0;) ASSERT_TRUE(*content(*fs, name(i)) == data(i, 400'000)) << i;
  EXPECT_EQ(fs->decoder().starts(), 1u);
  EXPECT_EQ(log_.text(), "");
}

TEST_F(Decoding, TheCacheLeavesNoFileAndIsPrivate) {
  make(ARCHIVE_FILTER_GZIP, 3, 300'000);
  std::filesystem::create_directories(folder_ / "cache");
  ArchiveOptions o;
  o.cache_dir = folder_ / "cache";
  auto fs = open_archive(path_, o);
  ASSERT_TRUE(content(*fs, name(1)).ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "cache"));
  auto piece = fs->spool().find(static_cast<uint32_t>(raw(find(*fs, name(1))->node) - 1), 0);
  ASSERT_TRUE(piece);
  struct stat st;
  ASSERT_EQ(::fstat(piece->segment->fd.get(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  EXPECT_EQ(st.st_nlink, 0u);
}

TEST_F(Decoding, CancelledReadsEnd) {
  make(ARCHIVE_FILTER_GZIP, 50, 400'000);
  auto fs = open_archive(path_);
  Cancel cancel;
  cancel.request();
  Context ctx;
  ctx.cancel = &cancel;
  op::Read a;
  a.node = find(*fs, name(49))->node;
  a.size = 4096;
  EXPECT_EQ(call_and_wait(*fs, a, ctx).code(), EINTR);
  EXPECT_TRUE(*content(*fs, name(49)) == data(49, 400'000));
}

TEST_F(Decoding, SparseFiles) {
  if (!have("tar")) GTEST_SKIP() << "needs tar";
  std::string name = folder_ / "sparse";
  write_file(name, "");
  ASSERT_EQ(::truncate(name.c_str(), off_t{1} << 40), 0);
  {
    Fd fd(::open(name.c_str(), O_WRONLY | O_CLOEXEC));
    for (off_t at : {off_t{0}, off_t{3} << 30, off_t{700} << 30})
      ASSERT_EQ(::pwrite(fd.get(), "data", 4, at + 5000), 4);
  }
  write_file(folder_ / "after", "after");
  for (const char* how :
       {"--format=gnu -S -cf", "--format=pax -S -cf", "--format=gnu -S -czf", "--format=pax -S -czf"}) {
    SCOPED_TRACE(how);
    ASSERT_TRUE(run(fmt::format("cd {} && tar {} {} sparse after", folder_.path(), how, path_)));
    auto fs = open_archive(path_);
    auto e = find(*fs, "sparse");
    ASSERT_TRUE(e);
    EXPECT_EQ(e->attr.size, uint64_t{1} << 40);
    EXPECT_LT(e->attr.blocks, 1000u);
    EXPECT_EQ(*read_at(*fs, e->node, (uint64_t{700} << 30) + 4999, 6), std::string("\0data\0", 6));
    EXPECT_EQ(*read_at(*fs, e->node, (uint64_t{3} << 30) + 5000, 4), "data");
    EXPECT_EQ(*read_at(*fs, e->node, (uint64_t{600} << 30), 500'000), std::string(500'000, '\0'));
    EXPECT_EQ(*read_at(*fs, e->node, (uint64_t{1} << 40) - 10, 500'000), std::string(10, '\0'));
    EXPECT_EQ(*content(*fs, "after"), "after");
    auto seek = [&](uint64_t at, int whence) { return call_and_wait(*fs, op::SeekHole{{}, e->node, {}, at, whence}); };
    auto data = seek(1 << 20, SEEK_DATA);
    ASSERT_TRUE(data.ok());
    EXPECT_LE(*data, (uint64_t{3} << 30) + 5000);
    EXPECT_GT(*data, uint64_t{2} << 30);
    auto hole = seek(*data, SEEK_HOLE);
    ASSERT_TRUE(hole.ok());
    EXPECT_LT(*hole, uint64_t{4} << 30);
    EXPECT_EQ(seek((uint64_t{1} << 40), SEEK_DATA).code(), ENXIO);
    EXPECT_EQ(seek((uint64_t{800} << 30), SEEK_DATA).code(), ENXIO);
  }
}

}  // namespace
}  // namespace isthmus::fs::archive
