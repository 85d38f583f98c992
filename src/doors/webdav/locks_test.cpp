#include "doors/webdav/locks.h"

#include <gmock/gmock.h>

namespace isthmus::webdav {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string take(LockTable& table, const std::string& path, bool exclusive = true, bool infinite = false) {
  auto got = table.lock(path, exclusive, infinite, "", 100);
  return std::holds_alternative<LockTable::Lock>(got) ? std::get<LockTable::Lock>(got).token : "";
}

TEST(Locks, ExclusiveAndShared) {
  LockTable table(10);
  const std::string one = take(table, "/a", false), two = take(table, "/a", false);
  EXPECT_NE(one, "");
  EXPECT_NE(two, "");
  EXPECT_NE(one, two);
  EXPECT_EQ(take(table, "/a"), "");
  EXPECT_TRUE(table.unlock("/a", one));
  EXPECT_FALSE(table.unlock("/a", one));
  EXPECT_EQ(take(table, "/a"), "");
  EXPECT_TRUE(table.unlock("/a", two));
  EXPECT_NE(take(table, "/a"), "");
  EXPECT_EQ(take(table, "/a", false), "");
}

TEST(Locks, DepthReachesDownAndIsStoppedByWhatIsBelow) {
  LockTable table(10);
  const std::string deep = take(table, "/a/b/c");
  std::vector<std::string> in_the_way;
  EXPECT_TRUE(std::holds_alternative<LockTable::Refused>(table.lock("/a", true, true, "", 0, &in_the_way)));
  EXPECT_THAT(in_the_way, ElementsAre("/a/b/c"));
  EXPECT_NE(take(table, "/a", true, false), "");  // depth 0: only itself
  EXPECT_TRUE(table.unlock("/a/b/c", deep));
  const std::string tree = take(table, "/a/b", true, true);
  EXPECT_EQ(take(table, "/a/b/x/y"), "");
  EXPECT_NE(take(table, "/a/bx"), "");
  EXPECT_THAT(table.covering("/a/b/x/y"), SizeIs(1));
  EXPECT_THAT(table.covering("/a/z"), IsEmpty());
  EXPECT_THAT(table.below("/a"), SizeIs(2));
  EXPECT_TRUE(table.unlock("/a/b/x/y", tree));  // by any path it covers
}

TEST(Locks, RootAndNeighbours) {
  LockTable table(10);
  const std::string root = take(table, "", true, true);
  EXPECT_EQ(take(table, "/a"), "");
  EXPECT_TRUE(table.unlock("", root));
  EXPECT_NE(take(table, "/a.b"), "");
  EXPECT_NE(take(table, "/a-b"), "");
  EXPECT_THAT(table.below("/a"), IsEmpty());
  EXPECT_THAT(table.below(""), SizeIs(2));
}

TEST(Locks, RefreshAndTime) {
  LockTable table(10);
  const std::string token = take(table, "/a");
  auto lock = table.refresh("/a", token, 50);
  ASSERT_TRUE(lock);
  EXPECT_EQ(lock->seconds, 50u);
  EXPECT_LE(lock->left(LockTable::Clock::now()), 50u);
  EXPECT_EQ(lock->left(LockTable::Clock::now() + std::chrono::seconds(60)), 0u);
  EXPECT_FALSE(table.refresh("/b", token, 50));
  EXPECT_FALSE(table.refresh("/a", "urn:x", 50));
  auto longest = table.lock("/l", true, false, "", UINT32_MAX);
  EXPECT_EQ(std::get<LockTable::Lock>(longest).seconds, 7u * 24 * 3600);
}

TEST(Locks, EndWithTheFileAndAreBounded) {
  LockTable table(2);
  EXPECT_NE(take(table, "/a"), "");
  EXPECT_NE(take(table, "/a/b"), "");
  auto third = table.lock("/c", true, false, "", 0);
  EXPECT_EQ(std::get<LockTable::Refused>(third), LockTable::Refused::too_many);
  table.removed("/a");
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace isthmus::webdav
