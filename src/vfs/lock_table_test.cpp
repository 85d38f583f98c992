#include "vfs/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "vfs/wait_graph.h"

namespace isthmus {
namespace {

constexpr NodeId kNode{7}, kOtherNode{8};
constexpr auto kShared = LockType::shared, kExclusive = LockType::exclusive, kNone = LockType::unlock;

/// One request for a lock, with room for its answer: -1 while it waits.
struct Ask final : Pending<op::SetLock> {
  Ask(uint64_t owner, uint64_t start, uint64_t end, LockType type, bool wait = false, NodeId node = kNode) {
    args.node = node;
    args.lock = {owner, start, end, type, static_cast<uint32_t>(owner)};
    args.wait = wait;
    ctx.cancel = &cancel;
  }
  void answered(Result<Unit>&& r) noexcept override {
    std::lock_guard lock(m);
    EXPECT_EQ(answer.load(), -1);
    answer.store(r.code());
    cv.notify_all();
  }
  int set(LockTable& t) {
    t.set(Call<op::SetLock>(*this));
    return answer;
  }
  int wait() {
    std::unique_lock lock(m);
    cv.wait(lock, [&] { return answer != -1; });
    return answer;
  }
  Cancel cancel;
  std::mutex m;
  std::condition_variable cv;
  std::atomic<int> answer{-1};
};

int set(LockTable& t, uint64_t owner, uint64_t start, uint64_t end, LockType type, NodeId node = kNode) {
  return Ask(owner, start, end, type, false, node).set(t);
}
int flock(LockTable& t, uint64_t owner, LockType type, HandleId h = {}) {
  Ask a(owner, 0, kLockEof, type);
  a.args.whole_file = true;
  a.args.handle = h;
  return a.set(t);
}
Lock probe(const LockTable& t, uint64_t owner, uint64_t start, uint64_t end, LockType type = kExclusive) {
  return *t.get(kNode, {owner, start, end, type, 0});
}

TEST(LockTable, SharedAndExclusive) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 9, kShared), 0);
  EXPECT_EQ(set(t, 2, 0, 9, kShared), 0);
  EXPECT_EQ(set(t, 1, 0, 9, kExclusive), EAGAIN);
  EXPECT_EQ(set(t, 3, 10, 19, kExclusive), 0);
  EXPECT_EQ(set(t, 3, 9, 9, kExclusive), EAGAIN);
  EXPECT_EQ(set(t, 3, 0, 9, kExclusive, kOtherNode), 0);
  EXPECT_EQ(set(t, 2, 0, 9, kNone), 0);
  EXPECT_EQ(set(t, 1, 0, 9, kExclusive), 0);
  EXPECT_EQ(set(t, 2, 0, 0, kShared), EAGAIN);
}

TEST(LockTable, GetNamesTheFirstInTheWay) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 100, kLockEof, kExclusive), 0);
  EXPECT_EQ(set(t, 1, 10, 19, kShared), 0);
  Lock l = probe(t, 2, 0, kLockEof);
  EXPECT_EQ(l.type, kShared);
  EXPECT_EQ(l.start, 10u);
  EXPECT_EQ(l.end, 19u);
  EXPECT_EQ(l.pid, 1u);
  EXPECT_EQ(probe(t, 2, 0, kLockEof, kShared).start, 100u);
  EXPECT_EQ(probe(t, 2, 20, 99).type, kNone);
  EXPECT_EQ(probe(t, 1, 0, kLockEof).type, kNone);
  EXPECT_EQ(t.get(kNode, {1, 5, 4, kShared, 0}).code(), EINVAL);
}

TEST(LockTable, SplitsMergesAndChangesTypes) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 99, kExclusive), 0);
  EXPECT_EQ(set(t, 1, 40, 59, kNone), 0);
  EXPECT_EQ(t.held(), 2u);
  EXPECT_EQ(probe(t, 2, 40, 59).type, kNone);
  EXPECT_EQ(probe(t, 2, 39, 39).end, 39u);
  EXPECT_EQ(probe(t, 2, 60, 60).start, 60u);
  EXPECT_EQ(set(t, 1, 40, 59, kExclusive), 0);
  EXPECT_EQ(t.held(), 1u);
  EXPECT_EQ(set(t, 1, 10, 19, kShared), 0);
  EXPECT_EQ(t.held(), 3u);
  EXPECT_EQ(set(t, 2, 10, 19, kShared), 0);
  EXPECT_EQ(set(t, 1, 0, kLockEof, kNone), 0);
  EXPECT_EQ(t.held(), 1u);
  EXPECT_EQ(set(t, 2, 0, kLockEof, kNone), 0);
  EXPECT_EQ(t.held(), 0u);
}

// Every byte's state, kept the slow way, for a few owners and bytes.
TEST(LockTable, AgreesWithAModel) {
  LockTable t;
  std::mt19937 random(4711);
  constexpr uint64_t kBytes = 24, kOwners = 3;
  std::map<std::pair<uint64_t, uint64_t>, LockType> model;
  auto at = [&](uint64_t o, uint64_t b) {
    auto it = model.find({o, b});
    return it == model.end() ? kNone : it->second;
  };
  for (int i = 0; i < 20000; i++) {
    uint64_t owner = random() % kOwners, a = random() % kBytes, b = a + random() % (kBytes - a);
    auto type = static_cast<LockType>(random() % 3);
    bool free = true;
    for (uint64_t o = 0; o < kOwners; o++)
      for (uint64_t x = a; o != owner && x <= b; x++)
        free &= at(o, x) == kNone || type == kNone || (at(o, x) == kShared && type == kShared);
    ASSERT_EQ(set(t, owner, a, b, type), free ? 0 : EAGAIN) << i;
    if (free)
      for (uint64_t x = a; x <= b; x++) model[{owner, x}] = type;
    for (uint64_t x = 0; x < kBytes; x++) {
      bool taken = false;
      for (uint64_t o = 0; o < kOwners; o++) taken |= at(o, x) != kNone;
      ASSERT_EQ(probe(t, 99, x, x).type != kNone, taken) << i;
    }
  }
}

TEST(LockTable, WaitersAreServedInOrder) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 9, kExclusive), 0);
  Ask a(2, 0, 9, kExclusive, true), b(3, 0, 4, kShared, true), c(4, 5, 9, kShared, true);
  EXPECT_EQ(a.set(t), -1);
  EXPECT_EQ(b.set(t), -1);
  EXPECT_EQ(c.set(t), -1);
  EXPECT_EQ(t.waiting(), 3u);
  EXPECT_EQ(set(t, 1, 0, 9, kNone), 0);
  EXPECT_EQ(a.answer, 0);
  EXPECT_EQ(b.answer, -1);
  EXPECT_EQ(set(t, 2, 0, 9, kShared), 0);
  EXPECT_EQ(b.answer, 0);
  EXPECT_EQ(c.answer, 0);
  EXPECT_EQ(t.waiting(), 0u);
}

TEST(LockTable, AGrantedDowngradeLetsOthersIn) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 10, 19, kExclusive), 0);
  EXPECT_EQ(set(t, 2, 0, 9, kExclusive), 0);
  Ask early(3, 0, 9, kShared, true), wide(2, 0, 19, kShared, true);
  EXPECT_EQ(early.set(t), -1);
  EXPECT_EQ(wide.set(t), -1);
  EXPECT_EQ(set(t, 1, 10, 19, kNone), 0);
  EXPECT_EQ(wide.answer, 0);
  EXPECT_EQ(early.answer, 0);
}

TEST(LockTable, CloseAndReleaseWakeWaiters) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 9, kExclusive), 0);
  Ask a(2, 0, 9, kExclusive, true);
  a.args.handle = HandleId{20};
  EXPECT_EQ(a.set(t), -1);
  t.release_owner(kNode, 1);
  EXPECT_EQ(a.answer, 0);
  Ask b(3, 0, 9, kExclusive, true);
  EXPECT_EQ(b.set(t), -1);
  t.release_handle(kNode, HandleId{21});
  EXPECT_EQ(b.answer, -1);
  t.release_handle(kNode, HandleId{20});
  EXPECT_EQ(b.answer, 0);
  Ask c(4, 0, 9, kShared, true);
  EXPECT_EQ(c.set(t), -1);
  t.forget(kNode);
  EXPECT_EQ(c.answer, EIO);
  EXPECT_EQ(t.held(), 0u);
}

TEST(LockTable, DeadlocksAreSeenAcrossFiles) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 0, kExclusive), 0);
  EXPECT_EQ(set(t, 2, 0, 0, kExclusive, kOtherNode), 0);
  EXPECT_EQ(set(t, 3, 5, 5, kExclusive), 0);
  Ask a(1, 0, 0, kExclusive, true, kOtherNode), b(3, 0, 0, kShared, true);
  EXPECT_EQ(a.set(t), -1);
  EXPECT_EQ(b.set(t), -1);
  Ask c(2, 5, 5, kShared, true);
  EXPECT_EQ(c.set(t), EDEADLK);
  EXPECT_EQ(set(t, 2, 0, 0, kNone, kOtherNode), 0);
  EXPECT_EQ(a.answer, 0);
  EXPECT_EQ(set(t, 1, 0, 0, kNone), 0);
  EXPECT_EQ(b.answer, 0);
}

TEST(LockTable, TwoReadersThatUpgradeDeadlock) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 9, kShared), 0);
  EXPECT_EQ(set(t, 2, 0, 9, kShared), 0);
  Ask a(1, 0, 9, kExclusive, true), b(2, 0, 9, kExclusive, true);
  EXPECT_EQ(a.set(t), -1);
  EXPECT_EQ(b.set(t), EDEADLK);
  t.release_owner(kNode, 2);
  EXPECT_EQ(a.answer, 0);
}

TEST(LockTable, FlockIsAWorldOfItsOwn) {
  LockTable t;
  EXPECT_EQ(flock(t, 1, kExclusive), 0);
  EXPECT_EQ(set(t, 2, 0, kLockEof, kExclusive), 0);
  EXPECT_EQ(flock(t, 2, kShared), EAGAIN);
  EXPECT_EQ(flock(t, 1, kShared), 0);
  EXPECT_EQ(flock(t, 2, kShared, HandleId{5}), 0);
  // Changing the type gives the old lock up, even when the new one cannot be had.
  EXPECT_EQ(flock(t, 1, kExclusive), EAGAIN);
  EXPECT_EQ(flock(t, 2, kExclusive, HandleId{5}), 0);
  t.release_handle(kNode, HandleId{5});
  EXPECT_EQ(flock(t, 3, kExclusive), 0);
  Ask a(4, 0, kLockEof, kShared, true);
  a.args.whole_file = true;
  EXPECT_EQ(a.set(t), -1);
  t.release_owner(kNode, 3);
  EXPECT_EQ(a.answer, -1);
  t.release_flock(kNode, 3);
  EXPECT_EQ(a.answer, 0);
}

TEST(LockTable, CancelAnswersOnce) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 0, 9, kExclusive), 0);
  Ask a(2, 0, 9, kExclusive, true);
  EXPECT_EQ(a.set(t), -1);
  a.cancel.request();
  EXPECT_EQ(a.answer, EINTR);
  EXPECT_EQ(t.waiting(), 0u);
  Ask before(3, 0, 9, kExclusive, true);
  before.cancel.request();
  EXPECT_EQ(before.set(t), EINTR);
  Ask granted(4, 0, 9, kExclusive, true);
  EXPECT_EQ(granted.set(t), -1);
  t.release_owner(kNode, 1);
  EXPECT_EQ(granted.answer, 0);
  granted.cancel.request();
  EXPECT_EQ(granted.answer, 0);
  EXPECT_EQ(t.held(), 1u);
}

TEST(LockTable, CancelAfterTheTableIsGone) {
  Ask a(1, 0, 9, kExclusive, true);
  {
    LockTable t;
    EXPECT_EQ(set(t, 2, 0, 9, kExclusive), 0);
    EXPECT_EQ(a.set(t), -1);
    t.forget(kNode);
  }
  EXPECT_EQ(a.answer, EIO);
  a.cancel.request();
}

TEST(LockTable, RefusesNonsense) {
  LockTable t;
  EXPECT_EQ(set(t, 1, 5, 4, kShared), EINVAL);
  EXPECT_EQ(set(t, 1, 0, UINT64_MAX, kShared), EINVAL);
  EXPECT_EQ(set(t, 1, 0, kLockEof, kShared), 0);
}

// Owners that take, wait, are cancelled and let go from many threads: each request is answered once, and exclusive
// holders are alone.
TEST(LockTable, ManyThreads) {
  LockTable t;
  constexpr int kThreads = 4, kRounds = 1500;
  std::atomic<int> inside[4] = {};
  auto work = [&](uint64_t owner) {
    std::mt19937 random(static_cast<unsigned>(owner));
    for (int i = 0; i < kRounds; i++) {
      uint64_t at = random() % 4;
      Ask a(owner, at, at, kExclusive, true);
      std::thread stopper;
      if (i % 16 == 0) stopper = std::thread([&] { a.cancel.request(); });
      a.set(t);
      int r = a.wait();
      if (r == 0) {
        EXPECT_EQ(inside[at].fetch_add(1), 0);
        inside[at].fetch_sub(1);
        EXPECT_EQ(set(t, owner, at, at, kNone), 0);
      } else {
        EXPECT_EQ(r, EINTR);
      }
      if (stopper.joinable()) stopper.join();
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 1; i <= kThreads; i++) threads.emplace_back(work, i);
  for (auto& th : threads) th.join();
  EXPECT_EQ(t.held(), 0u);
  EXPECT_EQ(t.waiting(), 0u);
}

TEST(WaitGraph, CirclesOnly) {
  WaitGraph g;
  int a = 0, b = 0, c = 0;
  EXPECT_TRUE(g.wait(&a, 1, {2}));
  EXPECT_TRUE(g.wait(&b, 2, {3, 4}));
  EXPECT_FALSE(g.wait(&c, 4, {1}));
  EXPECT_TRUE(g.wait(&a, 1, {3}));
  EXPECT_TRUE(g.wait(&c, 4, {1}));
  g.done(&a);
  g.done(&a);
  EXPECT_TRUE(g.wait(&a, 3, {5}));
}

}  // namespace
}  // namespace isthmus
