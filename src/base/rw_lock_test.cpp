#include "base/rw_lock.h"

#include <gtest/gtest.h>

#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "base/thread_number.h"

namespace isthmus {
namespace {

TEST(RwLock, ReadersTogetherWritersAlone) {
  RwLock lock;
  lock.lock_shared();
  std::thread([&] {
    lock.lock_shared();  // does not wait for the first one
    lock.unlock_shared();
  }).join();
  std::atomic<bool> written{false};
  std::thread writer([&] {
    std::lock_guard held(lock);
    written = true;
  });
  for (int i = 0; i < 100; i++) std::this_thread::yield();
  EXPECT_FALSE(written);
  lock.unlock_shared();
  writer.join();
  EXPECT_TRUE(written);
}

// Every thread that sleeps is woken; what the lock guards is always whole. The writer sometimes stays long enough for
// the others to sleep.
TEST(RwLock, ManyThreads) {
  RwLock lock;
  uint64_t a = 0, b = 0;
  std::atomic<uint64_t> writes{0};
  auto work = [&](unsigned seed) {
    for (unsigned i = 0; i < 500; i++) {
      if ((i * 7 + seed) % 4 == 0) {
        std::lock_guard held(lock);
        a++;
        if (i % 64 == 0) std::this_thread::yield();
        b++;
        writes.fetch_add(1, std::memory_order_relaxed);
      } else {
        std::shared_lock held(lock);
        if (i % 64 == 0) std::this_thread::yield();
        ASSERT_EQ(a, b);
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 8; i++) threads.emplace_back(work, i);
  for (auto& t : threads) t.join();
  EXPECT_EQ(a, writes.load());
}

// Readers that overlap all the time do not keep a writer out.
TEST(RwLock, WritersDoNotStarve) {
  RwLock lock;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; i++)
    readers.emplace_back([&] {
      while (!stop) {
        std::shared_lock held(lock);
        std::this_thread::yield();
      }
    });
  for (int i = 0; i < 20; i++) std::lock_guard held(lock);
  stop = true;
  for (auto& t : readers) t.join();
}

TEST(ThreadNumber, OwnAndUsedAgain) {
  unsigned mine = thread_number(), first = 0, second = 0;
  EXPECT_EQ(thread_number(), mine);
  std::thread([&] { first = thread_number(); }).join();
  std::thread([&] { second = thread_number(); }).join();
  EXPECT_NE(first, mine);
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace isthmus
