#include "fs/mem/file_data.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>

namespace isthmus::fs::mem {
namespace {

std::string read(const FileData& d, uint64_t offset, size_t n) {
  std::string s(n, '?');
  d.read(offset, std::as_writable_bytes(std::span(s)));
  return s;
}

struct File {
  Space space{{}, {}};
  Payer payer{space, 0};
  FileData d;
  size_t write(uint64_t offset, std::string_view s) {
    Errno why{};
    return d.write(offset, as_bytes(s), payer, why);
  }
};

TEST(FileData, SmallFilesGrowIntoPages) {
  File f;
  EXPECT_EQ(f.write(0, "abc"), 3u);
  EXPECT_EQ(f.d.pages(), 1u);
  EXPECT_EQ(f.space.bytes(), kPage);
  EXPECT_EQ(read(f.d, 0, 5), std::string("abc\0\0", 5));
  f.write(1000, "x");
  EXPECT_EQ(read(f.d, 0, 3), "abc");
  f.write(3000, "y");
  EXPECT_EQ(f.d.pages(), 1u);
  EXPECT_EQ(read(f.d, 0, 3), "abc");
  EXPECT_EQ(read(f.d, 1000, 1), "x");
  EXPECT_EQ(read(f.d, 3000, 1), "y");
  f.d.cut(0, f.payer);
  EXPECT_EQ(f.d.pages(), 0u);
  EXPECT_EQ(f.space.bytes(), 0u);
}

TEST(FileData, CutZeroesWhatIsBehind) {
  File f;
  f.write(0, "abcdef");
  f.d.cut(3, f.payer);
  EXPECT_EQ(read(f.d, 0, 6), std::string("abc\0\0\0", 6));
  f.write(kPage, std::string(2 * kPage, 'z'));
  f.d.cut(kPage + 10, f.payer);
  EXPECT_EQ(f.d.pages(), 2u);
  EXPECT_EQ(read(f.d, kPage, 20), std::string(10, 'z') + std::string(10, '\0'));
}

TEST(FileData, FarOffsets) {
  File f;
  uint64_t far = uint64_t{INT64_MAX} - 2;
  EXPECT_EQ(f.write(far, "xy"), 2u);
  EXPECT_EQ(f.d.pages(), 1u);
  EXPECT_EQ(read(f.d, far, 2), "xy");
  EXPECT_EQ(f.d.next_data(0), far / kPage * kPage);
  EXPECT_EQ(f.d.next_hole(0), 0u);
  f.d.cut(5, f.payer);
  EXPECT_EQ(f.d.pages(), 0u);
  EXPECT_EQ(f.d.next_data(0), UINT64_MAX);
}

TEST(FileData, TakesWhatFits) {
  Space space{{3 * kPage, 0}, {}};
  Payer payer{space, 0};
  FileData d;
  Errno why{};
  EXPECT_EQ(d.write(100, as_bytes(std::string(5 * kPage, 'x')), payer, why), 3 * kPage - 100);
  EXPECT_EQ(why, err(ENOSPC));
  why = {};
  EXPECT_EQ(d.write(0, as_bytes("ok"), payer, why), 2u);
  EXPECT_EQ(why, Errno{});
  EXPECT_EQ(d.allocate(0, 4 * kPage, payer).code(), ENOSPC);
  EXPECT_EQ(d.pages(), 3u);
}

// Random operations against bytes and a set of pages.
TEST(FileData, AgreesWithAModel) {
  for (unsigned seed = 1; seed <= 6; seed++) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    File f;
    std::string bytes(40 * kPage, '\0');  // the file is taken to be this long
    std::set<uint64_t> pages;
    uint64_t span = seed % 2 ? bytes.size() : 3 * kPage;  // small files too
    auto some = [&](uint64_t max) { return std::uniform_int_distribution<uint64_t>(0, max)(random); };
    auto drop = [&](uint64_t from, uint64_t to) {  // pages wholly inside
      for (auto it = pages.begin(); it != pages.end();)
        it = *it * kPage >= from && (*it + 1) * kPage <= to ? pages.erase(it) : std::next(it);
    };
    for (int i = 0; i < 1500; i++) {
      uint64_t a = some(span - 1), n = 1 + some(std::min<uint64_t>(span - a, 3 * kPage) - 1);
      switch (some(6)) {
        case 0:
        case 1:
        case 2: {
          std::string data(n, static_cast<char>('a' + i % 26));
          ASSERT_EQ(f.write(a, data), n);
          bytes.replace(a, n, data);
          for (uint64_t p = a / kPage; p <= (a + n - 1) / kPage; p++) pages.insert(p);
          break;
        }
        case 3:
          f.d.punch(a, n, f.payer);
          std::memset(&bytes[a], 0, n);
          drop(a, a + n);
          break;
        case 4:
          f.d.cut(a, f.payer);
          std::memset(&bytes[a], 0, bytes.size() - a);
          drop(a, UINT64_MAX);
          break;
        case 5: {
          uint64_t from = a / kPage * kPage, len = kPage * (1 + some(1));
          bool up = some(1);
          if (from + len >= bytes.size()) break;
          std::set<uint64_t> moved;
          if (up) {
            f.d.cut(bytes.size() - len, f.payer);
            drop(bytes.size() - len, UINT64_MAX);
            bytes.resize(bytes.size() - len);
            bytes.insert(from, std::string(len, '\0'));
            f.d.insert(from, len);
            for (uint64_t p : pages) moved.insert(p < from / kPage ? p : p + len / kPage);
          } else {
            f.d.collapse(from, len, f.payer);
            bytes.erase(from, len);
            bytes.append(len, '\0');
            drop(from, from + len);
            for (uint64_t p : pages) moved.insert(p < from / kPage ? p : p - len / kPage);
          }
          pages = moved;
          break;
        }
        case 6:
          ASSERT_TRUE(f.d.allocate(a, n, f.payer));
          for (uint64_t p = a / kPage; p <= (a + n - 1) / kPage; p++) pages.insert(p);
          break;
      }
      ASSERT_EQ(f.d.pages(), pages.size()) << i;
      ASSERT_EQ(f.space.bytes(), pages.size() * kPage) << i;
      if (i % 10 == 0) {
        ASSERT_TRUE(read(f.d, 0, bytes.size()) == bytes) << i;
      }
      auto next = pages.lower_bound(a / kPage);
      uint64_t data = next == pages.end() ? UINT64_MAX : *next == a / kPage ? a : *next * kPage;
      ASSERT_EQ(f.d.next_data(a), data);
      uint64_t hole = a / kPage;
      while (pages.contains(hole)) hole++;
      ASSERT_EQ(f.d.next_hole(a), hole == a / kPage ? a : hole * kPage);
    }
  }
}

TEST(PagePool, GivesMemoryBack) {
  PagePool& pool = PagePool::instance();
  std::vector<std::byte*> pages;
  size_t before = pool.mapped();
  for (int i = 0; i < 3000; i++) {
    std::byte* p = pool.take();
    ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % kPage, 0u);
    std::memset(p, i, kPage);
    pages.push_back(p);
  }
  EXPECT_GE(pool.mapped(), before + 3000 * kPage - (size_t{2} << 20));
  std::set<std::byte*> distinct(pages.begin(), pages.end());
  EXPECT_EQ(distinct.size(), pages.size());
  for (auto* p : pages) pool.give(p);
  EXPECT_LE(pool.mapped(), before + (size_t{2} << 20));
}

}  // namespace
}  // namespace isthmus::fs::mem
