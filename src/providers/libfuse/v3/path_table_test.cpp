#include "providers/libfuse/v3/path_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <thread>
#include <vector>

namespace isthmus::libfuse {
namespace {

using namespace std::chrono_literals;

std::string path_of(PathTable& t, NodeId node, std::string_view name = {}) {
  auto held = t.hold({node, name});
  return held ? held->path() : "error " + std::to_string(held.code());
}

/// Whether `f` does not return before `release` has been called.
template <class F, class R>
bool waits_for(F f, R release) {
  auto done = std::async(std::launch::async, f);
  bool waited = done.wait_for(30ms) == std::future_status::timeout;
  release();
  return waited && done.wait_for(10s) == std::future_status::ready;
}

struct PathTableTest : testing::Test {
  PathTable table;
  NodeId dir = *table.look_up(NodeId::root, "dir");
  NodeId sub = *table.look_up(dir, "sub");
  NodeId file = *table.look_up(sub, "file");
};

TEST_F(PathTableTest, PathsAreOfNodesAndOfNamesInThem) {
  EXPECT_EQ(path_of(table, NodeId::root), "/");
  EXPECT_EQ(path_of(table, NodeId::root, "new"), "/new");
  EXPECT_EQ(path_of(table, file), "/dir/sub/file");
  EXPECT_EQ(path_of(table, sub, "x"), "/dir/sub/x");
  EXPECT_EQ(table.hold({NodeId{12345}}).code(), ESTALE);
  EXPECT_EQ(*table.look_up(sub, "file"), file);
  EXPECT_EQ(table.find(sub, "file"), file);
  EXPECT_EQ(table.find(sub, "other"), NodeId::none);
  EXPECT_EQ(*table.find("//dir/sub/file"), file);
  EXPECT_EQ(*table.find("/"), NodeId::root);
  EXPECT_EQ(table.find("/dir/none").code(), ENOENT);
}

TEST_F(PathTableTest, RenamingMovesWhatIsBelow) {
  NodeId other = *table.look_up(NodeId::root, "other");
  table.rename(dir, "sub", other, "moved");
  EXPECT_EQ(path_of(table, file), "/other/moved/file");
  EXPECT_EQ(*table.look_up_parent(sub), other);
  // A name that is taken loses its node, which lives on without one.
  NodeId there = *table.look_up(NodeId::root, "there");
  table.rename(NodeId::root, "other", NodeId::root, "there");
  EXPECT_EQ(path_of(table, file), "/there/moved/file");
  EXPECT_EQ(table.hold({there}).code(), ESTALE);
  EXPECT_EQ(table.hold({there, "x"}).code(), ENOENT);
  EXPECT_EQ(table.look_up_parent(there).code(), ENOENT);
}

TEST_F(PathTableTest, ExchangeSwaps) {
  NodeId other = *table.look_up(NodeId::root, "other");
  table.exchange(dir, "sub", NodeId::root, "other");
  EXPECT_EQ(path_of(table, file), "/other/file");
  EXPECT_EQ(path_of(table, other), "/dir/sub");
  // Also with a name that nobody has looked up.
  table.exchange(NodeId::root, "other", NodeId::root, "unknown");
  EXPECT_EQ(path_of(table, file), "/unknown/file");
}

TEST_F(PathTableTest, WaitersDoNotWakeEachOther) {
  auto read = table.hold({file});
  auto rename = std::async(std::launch::async, [&] {
    return static_cast<bool>(table.hold({NodeId::root, "dir", true}));
  });
  std::this_thread::sleep_for(30ms);
  auto stat = std::async(std::launch::async, [&] { return static_cast<bool>(table.hold({dir, "other"})); });
  std::this_thread::sleep_for(30ms);
  static_cast<void>(table.hold({NodeId::root}));  // given back: both look
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(100ms);
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 50);
  read->release();
  EXPECT_TRUE(rename.get());
  EXPECT_TRUE(stat.get());
}

TEST_F(PathTableTest, ForgottenNodesGoWithWhatTheyKept) {
  table.forget(dir, 1);
  table.forget(sub, 1);
  EXPECT_EQ(table.size(), 4u) << "the file's path needs them";
  EXPECT_EQ(path_of(table, file), "/dir/sub/file");
  table.forget(file, 1);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_NE(*table.look_up(NodeId::root, "dir"), dir) << "a number used again differs in the count of uses";
}

TEST_F(PathTableTest, ANodeOfARemovedNameStaysUntilItIsForgotten) {
  table.remove(sub, "file");
  EXPECT_EQ(table.hold({file}).code(), ESTALE);
  auto held = table.hold({file, {}, false, true});
  EXPECT_TRUE(held && !held->path());
  NodeId again = *table.look_up(sub, "file");
  EXPECT_NE(again, file);
  EXPECT_TRUE(table.with(file, [](PathNode&) {}));
  table.forget(file, 1);
  EXPECT_FALSE(table.with(file, [](PathNode&) {}));
  EXPECT_EQ(path_of(table, again), "/dir/sub/file");
}

TEST_F(PathTableTest, LookupsAreCounted) {
  EXPECT_TRUE(table.look_up(file));
  table.forget(file, 1);
  EXPECT_EQ(path_of(table, file), "/dir/sub/file");
  table.forget(file, 1);
  EXPECT_EQ(table.look_up(file).code(), ESTALE);
}

TEST(PathTableKeep, ForGood) {
  PathTable table(-1);
  NodeId dir = *table.look_up(NodeId::root, "dir"), file = *table.look_up(dir, "file");
  table.forget(file, 1);
  table.forget(dir, 1);
  EXPECT_EQ(path_of(table, file), "/dir/file");
  EXPECT_EQ(*table.look_up(dir, "file"), file);
  table.forget(file, 1);
  table.remove(dir, "file");
  EXPECT_FALSE(table.with(file, [](PathNode&) {})) << "nobody can find it any more";
}

TEST(PathTableKeep, ForSeconds) {
  PathTable table(1);
  NodeId dir = *table.look_up(NodeId::root, "dir"), file = *table.look_up(dir, "file");
  NodeId busy = *table.look_up(dir, "busy");
  for (NodeId n : {file, dir, busy}) table.forget(n, 1);
  EXPECT_EQ(table.clean(), 1);
  EXPECT_EQ(*table.look_up(dir, "busy"), busy);
  std::this_thread::sleep_for(1100ms);
  table.clean();
  EXPECT_FALSE(table.with(file, [](PathNode&) {}));
  EXPECT_EQ(path_of(table, busy), "/dir/busy");
  EXPECT_EQ(table.size(), 3u);
}

TEST_F(PathTableTest, APathInUseIsNotRenamed) {
  auto held = table.hold({file});
  ASSERT_TRUE(held);
  EXPECT_TRUE(waits_for([&] { EXPECT_TRUE(table.hold({dir, "sub", true})); }, [&] { held->release(); }));
  // What does not lead through the name does not wait.
  auto inside = table.hold({dir, "other"});
  EXPECT_TRUE(table.hold({dir, "sub", true}));
}

TEST_F(PathTableTest, NobodyEntersWhatIsBeingRenamed) {
  auto held = table.hold({dir, "sub", true}, {NodeId::root, "new", true});
  ASSERT_TRUE(held);
  EXPECT_STREQ(held->path(), "/dir/sub");
  EXPECT_STREQ(held->second(), "/new");
  std::string seen;
  EXPECT_TRUE(waits_for([&] { seen = path_of(table, file); },
                        [&] {
                          table.rename(dir, "sub", NodeId::root, "new");
                          held->release();
                        }));
  EXPECT_EQ(seen, "/new/file");
}

TEST_F(PathTableTest, NewPathsWaitForWhoWantsAName) {
  auto held = table.hold({file});
  auto renaming = std::async(std::launch::async, [&] { return table.hold({dir, "sub", true}); });
  EXPECT_EQ(renaming.wait_for(30ms), std::future_status::timeout);
  EXPECT_TRUE(waits_for([&] { EXPECT_EQ(path_of(table, file), "/dir/sub/file"); },
                        [&] {
                          held->release();
                          auto renamed = renaming.get();
                          EXPECT_TRUE(renamed);
                        }));
}

TEST_F(PathTableTest, ADirectoryDoesNotGoIntoItself) {
  EXPECT_EQ(table.hold({NodeId::root, "dir", true}, {sub, "x", true}).code(), EINVAL);
  EXPECT_EQ(table.hold({sub, "file", true}, {NodeId::root, "dir", true}).code(), ENOTEMPTY);
  EXPECT_TRUE(table.hold({sub, "file", true}, {sub, "file", true}));
}

TEST_F(PathTableTest, AWaitedForNodeMayGo) {
  auto held = table.hold({sub, "file", true});
  auto waiting = std::async(std::launch::async, [&] { return table.hold({sub, "file", true}); });
  EXPECT_EQ(waiting.wait_for(30ms), std::future_status::timeout);
  table.remove(sub, "file");
  table.forget(file, 1);
  held->release();
  EXPECT_STREQ(waiting.get()->path(), "/dir/sub/file");
  EXPECT_FALSE(table.with(file, [](PathNode&) {}));
}

/// Renames, removals and uses of paths at the same time: every path is one that was there for as long as it was held.
TEST(PathTableThreads, DoNotWaitInCircles) {
  PathTable table;
  std::vector<NodeId> dirs;
  for (int i = 0; i < 4; i++) dirs.push_back(*table.look_up(NodeId::root, std::string(1, static_cast<char>('a' + i))));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> done{0};
  auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    auto any_dir = [&] { return dirs[random() % dirs.size()]; };
    auto any_name = [&] { return std::string(1, static_cast<char>('p' + random() % 3)); };
    while (!stop) {
      NodeId from = any_dir(), to = any_dir();
      std::string name = any_name(), to_name = any_name();
      switch (random() % 4) {
        case 0:
          if (auto held = table.hold({from, name, true}, {to, to_name, true})) table.rename(from, name, to, to_name);
          break;
        case 1:
          if (auto held = table.hold({from, name, true})) table.remove(from, name);
          break;
        default:
          if (auto made = table.look_up(from, name)) {
            if (auto held = table.hold({*made})) {
              std::string before = held->path();
              std::this_thread::yield();
              EXPECT_EQ(*table.find(before), *made);
            }
            table.forget(*made, 1);
          }
      }
      done++;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; i++) threads.emplace_back(work, i);
  std::this_thread::sleep_for(300ms);
  stop = true;
  for (auto& t : threads) t.join();
  EXPECT_GT(done, 100u);
}

}  // namespace
}  // namespace isthmus::libfuse
