#include "fs/mem/space.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace isthmus::fs::mem {
namespace {

// What other threads hold back as their share is found before anything is refused.
TEST(Account, ExactToTheLast) {
  Account a({uint64_t{4096} * 10, 10});
  EXPECT_TRUE(a.take(4096, 1));
  for (int i = 0; i < 9; i++) std::thread([&] { EXPECT_TRUE(a.take(4096, 1)); }).join();
  EXPECT_FALSE(a.take(1, 0));
  EXPECT_FALSE(a.take(0, 1));
  EXPECT_EQ(a.used().bytes, 4096u * 10);
  EXPECT_EQ(a.used().inodes, 10u);
  std::thread([&] { a.give(4096, 1); }).join();
  EXPECT_FALSE(a.take(4097, 0));
  EXPECT_TRUE(a.take(4096, 1));
  EXPECT_FALSE(a.take(UINT64_MAX, 0));
}

TEST(Account, WithoutLimits) {
  Account a({});
  EXPECT_TRUE(a.take(uint64_t{1} << 50, 1 << 20));
  EXPECT_EQ(a.used().bytes, uint64_t{1} << 50);
  EXPECT_EQ(a.used().inodes, 1u << 20);
  a.give(uint64_t{1} << 50, 1 << 20);
  EXPECT_EQ(a.used().bytes, 0u);
}

// Shares of many threads with room for the shares of few: never more than the limit, and a thread that gives and takes
// one while at most the rest is held by others is never refused.
TEST(Account, ManyThreads) {
  constexpr uint64_t kPages = 1000, kThreads = 6, kMine = 150;
  Account a({kPages * 4096, 0});
  std::atomic<uint64_t> held{0};
  std::vector<std::thread> threads;
  for (uint64_t k = 0; k < kThreads; k++)
    threads.emplace_back([&, k] {
      std::mt19937 random(static_cast<unsigned>(k));
      uint64_t mine = 0;
      for (int i = 0; i < 5000; i++) {
        if (mine < kMine && random() % 2) {
          ASSERT_TRUE(a.take(4096, 1)) << "6 threads with 150 each never hold 1000";
          mine++;
          ASSERT_LE(held.fetch_add(1) + 1, kPages);
        } else if (mine) {
          mine--;
          held.fetch_sub(1);
          a.give(4096, 1);
        }
      }
      a.give(mine * 4096, mine);
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(a.used().bytes, 0u);
  EXPECT_EQ(a.used().inodes, 0u);
}

TEST(Space, QuotasAreGivenBackWhenTheWholeIsFull) {
  Space s({8192, 0}, {{7, {4096, 1}}});
  EXPECT_TRUE(s.take(7, 4096, 1));
  EXPECT_EQ(s.take(7, 1).code(), EDQUOT);
  EXPECT_EQ(s.bytes(), 4096u);
  EXPECT_TRUE(s.take(8, 4096, 1));
  EXPECT_EQ(s.take(8, 1).code(), ENOSPC);
  EXPECT_EQ(s.move(8, 7, 4096, 1).code(), EDQUOT);
  s.give(7, 4096, 1);
  EXPECT_TRUE(s.move(8, 7, 4096, 1));
}

}  // namespace
}  // namespace isthmus::fs::mem
