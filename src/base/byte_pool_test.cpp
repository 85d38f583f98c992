#include "base/byte_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

namespace isthmus {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(BytePool, GivesWhatWasUsedLast) {
  const BytePool pool(64 * kMiB);
  std::byte *first = nullptr, *second = nullptr;
  {
    auto a = pool.take(3 * kMiB), b = pool.take(3 * kMiB);
    EXPECT_EQ(a.size(), 3 * kMiB);
    EXPECT_NE(a.data(), b.data());
    std::memset(a.data(), 1, a.size());
    first = a.data(), second = b.data();
  }
  const auto c = pool.take(3 * kMiB + 1), d = pool.take(4 * kMiB);
  EXPECT_EQ((std::set{c.data(), d.data()}), (std::set{first, second})) << "of one order of size";
  EXPECT_EQ(c.size(), 3 * kMiB + 1);
}

TEST(BytePool, OfEachSize) {
  const BytePool pool(64 * kMiB);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{65535}, size_t{65536}, size_t{65537}, 2 * kMiB,
                            2 * kMiB + 1, 16 * kMiB, 16 * kMiB + 1}) {
    for (int i = 0; i < 2; i++) {
      const auto a = pool.take(size);
      ASSERT_EQ(a.size(), size);
      EXPECT_EQ(a.empty(), size == 0);
      std::fill(a.bytes().begin(), a.bytes().end(), std::byte{7});
    }
  }
}

TEST(BytePool, KeepsNoMoreThanItShould) {
  const BytePool pool(kMiB);
  std::byte* kept = nullptr;
  {
    auto a = pool.take(kMiB);
    const auto b = pool.take(kMiB);
    kept = a.data();
    const auto moved = std::move(a);
    EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(moved.data(), kept);
  }
  const auto one = pool.take(kMiB);
  EXPECT_EQ(one.data(), kept) << "moved is given back first";
  const auto other = pool.take(kMiB);
  EXPECT_NE(other.data(), kept);
}

TEST(BytePool, PiecesOutliveIt) {
  std::optional<BytePool> pool(std::in_place, 16 * kMiB);
  auto a = pool->take(kMiB), b = pool->take(5 * kMiB);
  pool->trim();
  pool.reset();
  std::memset(a.data(), 1, a.size());
  std::memset(b.data(), 1, b.size());
  a = std::move(b);
  EXPECT_EQ(a.size(), 5 * kMiB);
}

}  // namespace
}  // namespace isthmus
