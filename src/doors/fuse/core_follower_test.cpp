#include "doors/fuse/core_follower.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace isthmus::fuse {
namespace {

class Followed final : public CoreFollower {
 public:
  int client_cpu = 0;
  std::vector<int> moves;
  using CoreFollower::cpu_of;
  void looks(int n, int64_t took_ns = 1000, pid_t client = 7) {
    for (int i = 0; i < n; i++) look(client, took_ns);
  }

 protected:
  int cpu_of(pid_t) override { return client_cpu; }
  void move_to(int cpu) override { moves.push_back(cpu); }
};

TEST(CoreFollower, LooksAtOneRequestOfMany) {
  Followed f;
  unsigned due = 0;
  for (unsigned i = 0; i < 10 * CoreFollower::kEvery; i++) due += f.due();
  EXPECT_EQ(due, 10u);
}

TEST(CoreFollower, GoesToAClientThatStays) {
  Followed f;
  f.client_cpu = 3;
  f.looks(CoreFollower::kAgree - 1);
  EXPECT_TRUE(f.moves.empty());
  f.looks(5);
  EXPECT_EQ(f.moves, std::vector{3});
  f.client_cpu = 1;
  f.looks(5);
  EXPECT_EQ(f.moves, (std::vector{3, -1, 1}));
}

TEST(CoreFollower, StaysFreeOfClientsEverywhere) {
  Followed f;
  for (int i = 0; i < 30; i++) {
    f.client_cpu = i % 3;
    f.looks(1);
  }
  EXPECT_TRUE(f.moves.empty());
}

TEST(CoreFollower, LongOperationsAndTheKernelSetItFree) {
  Followed f;
  f.looks(4);
  f.looks(1, CoreFollower::kShortNs);
  EXPECT_EQ(f.moves, (std::vector{0, -1}));
  f.looks(4);
  f.looks(1, 1000, 0);
  EXPECT_EQ(f.moves, (std::vector{0, -1, 0, -1}));
}

class Real final : public CoreFollower {
 public:
  using CoreFollower::cpu_of;
  using CoreFollower::move_to;
};

TEST(CoreFollower, FindsAndMovesThreads) {
  std::thread([] {
    cpu_set_t all;
    ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    Real f;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &all)) continue;
      f.move_to(cpu);
      EXPECT_EQ(f.cpu_of(gettid()), cpu);
    }
    f.move_to(-1);
    cpu_set_t after;
    ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&all, &after));
    EXPECT_EQ(f.cpu_of(1 << 30), -1);
  }).join();
}

}  // namespace
}  // namespace isthmus::fuse
