#include "vfs/node_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

#include "vfs/test_fs.h"

namespace isthmus {
namespace {

struct Node {
  explicit Node(std::string n) : name(std::move(n)) {
    if (name == "throw") throw std::runtime_error("no");
  }
  std::string name;
};

TEST(NodeTable, RootIsOneAndIdsAreNotReused) {
  NodeTable<Node> t;
  EXPECT_EQ(t.emplace(1, "root").id, NodeId::root);
  auto a = t.emplace(1, "a");
  EXPECT_EQ(t.find(a.id), a.node);
  t.erase(a.id);
  EXPECT_EQ(t.find(a.id), nullptr);
  auto b = t.emplace(1, "b");
  EXPECT_EQ(b.node, a.node) << "the slot is used again";
  EXPECT_NE(b.id, a.id);
  EXPECT_EQ(t.find(a.id), nullptr);
  EXPECT_EQ(t.size(), 2u);
}

TEST(NodeTable, UnknownIds) {
  testing::LogCatcher log;
  NodeTable<Node> t;
  t.emplace(1, "root");
  for (uint64_t id : {uint64_t{0}, uint64_t{2}, uint64_t{1} << 32, UINT64_MAX, uint64_t{0xffffffff}})
    EXPECT_EQ(t.find(NodeId{id}), nullptr) << id;
  EXPECT_EQ(t.get(NodeId{77}, Op::Getattr).code(), EIO);
  EXPECT_TRUE(log.has("getattr: unknown node 0x4d"));
  EXPECT_FALSE(t.add_lookup(NodeId{77}));
  EXPECT_FALSE(t.forget(NodeId{77}, 1));
  t.erase(NodeId{77});
}

TEST(NodeTable, LookupsCount) {
  NodeTable<Node> t;
  auto a = t.emplace(1, "a");
  t.add_lookup(a.id, 2);
  EXPECT_FALSE(t.forget(a.id, 2));
  EXPECT_EQ(t.lookups(a.id), 1u);
  EXPECT_TRUE(t.forget(a.id, 1));
  EXPECT_FALSE(t.forget(a.id, 0));
}

TEST(NodeTable, TooManyForgotten) {
  testing::LogCatcher log;
  NodeTable<Node> t;
  auto a = t.emplace(2, "a");
  EXPECT_TRUE(t.forget(a.id, 5));
  EXPECT_EQ(t.lookups(a.id), 0u);
  EXPECT_TRUE(log.has("forget:"));
}

TEST(NodeTable, ThrowingConstructorLeavesNoSlotBehind) {
  NodeTable<Node> t;
  t.emplace(1, "root");
  EXPECT_THROW(t.emplace(1, "throw"), std::runtime_error);
  EXPECT_EQ(t.size(), 1u);
  EXPECT_EQ(static_cast<uint32_t>(raw(t.emplace(1, "x").id)), 2u);
}

TEST(NodeTable, ManyAcrossChunks) {
  NodeTable<int> t;
  std::vector<NodeId> ids;
  for (int i = 0; i < 100'000; i++) ids.push_back(t.emplace(1, i).id);
  for (int i = 0; i < 100'000; i++) ASSERT_EQ(*t.find(ids[static_cast<size_t>(i)]), i);
}

TEST(NodeTable, ThreadsMakeFindAndErase) {
  NodeTable<uint64_t> t;
  t.emplace(1, 0u);
  std::vector<std::thread> threads;
  for (uint64_t k = 0; k < 4; k++)
    threads.emplace_back([&, k] {
      for (uint64_t i = 0; i < 5000; i++) {
        auto a = t.emplace(1, k * 10'000 + i);
        if (*t.find(a.id) != k * 10'000 + i) std::abort();
        if (t.forget(a.id, 1)) t.erase(a.id);
      }
    });
  for (auto& x : threads) x.join();
  EXPECT_EQ(t.size(), 1u);
}

TEST(NodeTable, ARevivedNodeIsCounted) {
  NodeTable<Node> t;
  t.emplace(1, "root");
  auto a = t.emplace(1, "a");
  Node* stray = nullptr;
  EXPECT_EQ(t.revive(a.id, stray), a.node);
  EXPECT_EQ(t.lookups(a.id), 2u);
  EXPECT_FALSE(t.forget(a.id, 1));
  EXPECT_TRUE(t.forget(a.id, 1));
  EXPECT_EQ(t.revive(a.id, stray), nullptr) << "it is about to be erased";
  EXPECT_EQ(stray, nullptr);
  t.erase(a.id);
  EXPECT_EQ(t.revive(a.id, stray), nullptr);
  EXPECT_EQ(t.revive(NodeId{12345}, stray), nullptr);
}

// Found by nobody until it is complete.
TEST(NodeTable, PreparedThenPublished) {
  NodeTable<Node> t;
  t.emplace(1, "root");
  auto a = t.prepare("a");
  EXPECT_EQ(t.find(a.id), nullptr);
  t.publish(a, 3);
  EXPECT_EQ(t.find(a.id), a.node);
  EXPECT_EQ(t.id_of(*a.node), a.id);
  EXPECT_EQ(t.lookups(*a.node), 3u);
  auto b = t.prepare("b");
  t.discard(b);
  EXPECT_EQ(t.find(b.id), nullptr);
  EXPECT_EQ(t.size(), 2u);
}

// Groups that are empty give their memory back; ids are new all the same when they are used again.
TEST(NodeTable, EmptyGroupsStartAnewWithNewIds) {
  struct Big {
    uint64_t n = 0;
    std::byte rest[1000];
  };
  NodeTable<Big> t;
  t.emplace(1);
  std::set<NodeId> seen;
  for (int round = 0; round < 3; round++) {
    std::vector<NodeId> ids;
    for (int i = 0; i < 5000; i++) {
      auto made = t.emplace(1);
      EXPECT_TRUE(seen.insert(made.id).second);
      ids.push_back(made.id);
    }
    for (NodeId id : ids) t.erase(id);
    EXPECT_EQ(t.size(), 1u);
  }
  for (NodeId id : seen) EXPECT_EQ(t.find(id), nullptr);
}

// Threads revive by number what others make and erase: nobody gets a node that is gone, and every count comes back.
TEST(NodeTable, ReviveAgainstReuse) {
  struct Self {
    std::atomic<uint64_t> id{0};
  };
  NodeTable<Self> t;
  t.emplace(1);
  std::atomic<uint64_t> last{0};
  std::atomic<bool> stop{false};
  auto give_back = [&](Self& n) {
    if (t.forget(n, 1)) t.erase(t.id_of(n));
  };
  std::vector<std::thread> finders;
  for (int k = 0; k < 2; k++)
    finders.emplace_back([&] {
      while (!stop) {
        NodeId id{last.load()};
        Self* stray = nullptr;
        if (Self* n = t.revive(id, stray)) {
          if (n->id.load() != raw(id)) std::abort();
          give_back(*n);
        }
        if (stray) give_back(*stray);
      }
    });
  for (int i = 0; i < 20000; i++) {
    auto made = t.prepare();
    made.node->id = raw(made.id);
    t.publish(made, 1);
    last = raw(made.id);
    give_back(*made.node);
  }
  stop = true;
  for (auto& f : finders) f.join();
  EXPECT_EQ(t.size(), 1u);
}

}  // namespace
}  // namespace isthmus
