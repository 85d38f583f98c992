#include "vfs/volume/volume_test.h"

namespace isthmus::volume::testing {
namespace {

struct CacheTest : ::testing::Test {
  void SetUp() override { rig.begin(); }
  Rig rig;
};

TEST_F(CacheTest, NamesAndAttributesAreAskedOnce) {
  Door d(rig.v, {});
  NodeId dir = d.mkdir(kRoot, "d");
  ASSERT_TRUE(d.run(op::Mknod{{}, dir, "f", S_IFREG | 0640, 0, {}}));
  NodeId f = d.node(dir, "f");
  uint64_t lookups = rig.gate.asked(Op::Lookup), stats = rig.gate.asked(Op::Getattr);
  for (int i = 0; i < 10; i++) {
    EXPECT_EQ(d.node(dir, "f"), f);
    EXPECT_EQ(d.stat(f).mode, uint32_t{S_IFREG | 0640});
    EXPECT_EQ(d.node(dir, "missing"), NodeId::none);
  }
  EXPECT_EQ(rig.gate.asked(Op::Lookup), lookups + 1);  // "missing", once
  EXPECT_EQ(rig.gate.asked(Op::Getattr), stats);
}

TEST_F(CacheTest, WhatADoorDoesInvalidates) {
  Door d(rig.v, {});
  EXPECT_EQ(d.node(kRoot, "f"), NodeId::none);
  auto c = d.create(kRoot, "f");
  ASSERT_TRUE(c);
  NodeId f = c->entry.node;
  EXPECT_EQ(d.node(kRoot, "f"), f);
  EXPECT_EQ(d.stat(f).size, 0u);
  EXPECT_EQ(*d.write(f, c->opened.handle, 0, "12345"), 5u);
  EXPECT_EQ(d.stat(f).size, 5u);
  Attr to;
  to.size = 2;
  ASSERT_TRUE(d.set(f, kSetSize, to));
  EXPECT_EQ(d.stat(f).size, 2u);
  to.mode = 0600;
  ASSERT_TRUE(d.set(f, kSetMode, to));
  EXPECT_EQ(d.stat(f).mode & 07777, 0600u);
  EXPECT_EQ(d.rename(kRoot, "f", kRoot, "g"), 0);
  EXPECT_EQ(d.node(kRoot, "f"), NodeId::none);
  EXPECT_EQ(d.node(kRoot, "g"), f);
  ASSERT_TRUE(d.run(op::Link{{}, f, kRoot, "h"}));
  EXPECT_EQ(d.stat(f).nlink, 2u);
  EXPECT_EQ(d.unlink(kRoot, "g"), 0);
  EXPECT_EQ(d.node(kRoot, "g"), NodeId::none);
  EXPECT_EQ(d.stat(f).nlink, 1u);
  EXPECT_EQ(d.release(f, c->opened.handle), 0);
}

TEST_F(CacheTest, AMovedNameIsKnownWhereItGoes) {
  Door d(rig.v, {});
  for (auto name : {"f", "h"}) ASSERT_TRUE(d.run(op::Mknod{{}, kRoot, name, S_IFREG | 0644, 0, {}}));
  const NodeId f = d.node(kRoot, "f");
  d.node(kRoot, "g");
  const uint64_t looked = rig.gate.asked(Op::Lookup), stated = rig.gate.asked(Op::Getattr);
  EXPECT_EQ(d.rename(kRoot, "f", kRoot, "g"), 0);
  EXPECT_EQ(d.stat(f).nlink, 1u);
  EXPECT_EQ(rig.gate.asked(Op::Getattr), stated + 1) << "its time of change is another";
  EXPECT_EQ(d.node(kRoot, "g"), f);
  EXPECT_EQ(d.rename(kRoot, "g", kRoot, "h"), 0);
  EXPECT_EQ(d.unlink(kRoot, "h"), 0);
  EXPECT_EQ(rig.gate.asked(Op::Lookup), looked);
  EXPECT_EQ(d.node(kRoot, "h"), NodeId::none);
  EXPECT_EQ(d.node(kRoot, "g"), NodeId::none);
}

// The provider has taken the name back while the rename was under way.
TEST_F(CacheTest, AMovedNameIsNotKnownOverAChange) {
  Door d(rig.v, {});
  ASSERT_TRUE(d.run(op::Mknod{{}, kRoot, "f", S_IFREG | 0644, 0, {}}));
  d.node(kRoot, "f");
  rig.gate.hold(Op::Rename, Gate::Hold::answer);
  auto slow = d.begin(op::Rename{{}, kRoot, "f", kRoot, "g", 0});
  ASSERT_EQ(rig.gate.held(), 1u);
  ASSERT_EQ(call_and_wait(rig.mem, op::Unlink{{}, kRoot, "g"}).code(), 0);
  rig.gate.told()->invalidate_entry(kRoot, "g");
  rig.gate.let_go();
  EXPECT_TRUE(slow->wait());
  EXPECT_EQ(d.node(kRoot, "g"), NodeId::none);
}

TEST_F(CacheTest, ProviderTakesWordsBack) {
  Door d(rig.v, {});
  ASSERT_TRUE(d.run(op::Mknod{{}, kRoot, "f", S_IFREG | 0644, 0, {}}));
  NodeId f = d.node(kRoot, "f");
  EXPECT_EQ(d.node(kRoot, "g"), NodeId::none);
  // Behind the volume's back.
  ASSERT_EQ(call_and_wait(rig.mem, op::Rename{{}, kRoot, "f", kRoot, "g", 0}).code(), 0);
  EXPECT_EQ(d.node(kRoot, "f"), f) << "nobody has told";
  Upcalls& up = *rig.gate.told();
  up.invalidate_entry(kRoot, "f");
  up.invalidate_entry(kRoot, "g");
  EXPECT_EQ(d.node(kRoot, "f"), NodeId::none);
  EXPECT_EQ(d.node(kRoot, "g"), f);
  Attr to;
  to.mode = 0600;
  op::Setattr s{};
  s.node = f;
  s.set.mask = kSetMode;
  s.set.to = to;
  ASSERT_TRUE(call_and_wait(rig.mem, s));
  EXPECT_EQ(d.stat(f).mode & 07777, 0644u);
  up.invalidate_attr(f);
  EXPECT_EQ(d.stat(f).mode & 07777, 0600u);
  ASSERT_EQ(call_and_wait(rig.mem, op::Unlink{{}, kRoot, "g"}).code(), 0);
  up.invalidate_all_names();
  EXPECT_EQ(d.node(kRoot, "g"), NodeId::none);
  EXPECT_TRUE(d.ears.heard("entry 1 f"));
  EXPECT_TRUE(d.ears.heard("names"));
}

// The answer left the provider before the change and arrives after it.
TEST_F(CacheTest, AnAnswerUnderWayIsNotCachedOverAChange) {
  Door d(rig.v, {}), other(rig.v, {.has_kernel = true});
  rig.gate.hold(Op::Lookup, Gate::Hold::answer);
  auto slow = d.begin(op::Lookup{{}, kRoot, "f"});
  ASSERT_EQ(rig.gate.held(), 1u);
  ASSERT_TRUE(other.run(op::Mknod{{}, kRoot, "f", S_IFREG | 0644, 0, {}}));
  rig.gate.let_go();
  auto& r = slow->wait();
  EXPECT_TRUE(!r || r->node == NodeId::none) << "that was true when it was asked";
  EXPECT_NE(d.node(kRoot, "f"), NodeId::none);

  NodeId f = d.node(kRoot, "f");
  rig.gate.told()->invalidate_attr(f);
  rig.gate.hold(Op::Getattr, Gate::Hold::answer);
  op::Getattr get{};
  get.node = f;
  auto stat = d.begin(get);
  ASSERT_EQ(rig.gate.held(), 1u);
  Attr to;
  to.mode = 0600;
  ASSERT_TRUE(other.set(f, kSetMode, to));
  rig.gate.let_go();
  EXPECT_EQ(stat->wait()->attr.mode & 07777, 0644u);
  EXPECT_EQ(d.stat(f).mode & 07777, 0600u);
}

TEST_F(CacheTest, LookupsAreGivenBackExactly) {
  size_t before = rig.mem.inodes();
  {
    Door d(rig.v, {});
    auto c = d.create(kRoot, "f");
    ASSERT_TRUE(c);
    NodeId f = c->entry.node;
    for (int i = 0; i < 5; i++) ASSERT_TRUE(d.lookup(kRoot, "f"));
    d.forget(f, 6);
    // Nobody but the open file and the cached name knows it now.
    EXPECT_EQ(d.unlink(kRoot, "f"), 0);
    EXPECT_EQ(*d.write(f, c->opened.handle, 0, "still here"), 10u);
    EXPECT_EQ(d.read(f, c->opened.handle), "still here");
    EXPECT_EQ(rig.mem.inodes(), before + 1);
    EXPECT_EQ(d.release(f, c->opened.handle), 0);
    EXPECT_EQ(rig.mem.inodes(), before) << "the last close ended it";
  }
  rig.end();
  EXPECT_EQ(rig.mem.inodes(), before);
}

TEST(Cache, IsBounded) {
  Rig rig({.cached_names = 64});
  rig.begin();
  Door d(rig.v, {});
  for (int i = 0; i < 500; i++) {
    std::string name = "f" + std::to_string(i);
    auto e = d.run(op::Mknod{{}, kRoot, name, S_IFREG | 0644, 0, {}});
    ASSERT_TRUE(e);
    d.forget(e->node);
    EXPECT_NE(d.node(kRoot, name), NodeId::none);
  }
  uint64_t lookups = rig.gate.asked(Op::Lookup);
  EXPECT_NE(d.node(kRoot, "f0"), NodeId::none);
  EXPECT_EQ(rig.gate.asked(Op::Lookup), lookups + 1) << "it was thrown out";
  EXPECT_GT(rig.gate.asked(Op::Forget), 400u);
}

TEST(Cache, TimeOutsAreTheProviders) {
  fs::mem::MemOptions o;
  o.ttl = 30;
  Rig rig({}, o);
  rig.begin();
  Door d(rig.v, {});
  ASSERT_TRUE(d.run(op::Mknod{{}, kRoot, "f", S_IFREG | 0644, 0, {}}));
  d.node(kRoot, "f");
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  uint64_t lookups = rig.gate.asked(Op::Lookup);
  d.node(kRoot, "f");
  EXPECT_EQ(rig.gate.asked(Op::Lookup), lookups + 1);
}

TEST(Cache, UnitWithoutAFileSystem) {
  Cache c(1024);
  Forgets out;
  Entry e;
  e.node = NodeId{7};
  e.attr.mode = S_IFREG | 0644;
  e.entry_ttl = e.attr_ttl = 1000;
  auto since = c.begin();
  c.enter_name(kRoot, "a", e, 0, since, since, out);
  EXPECT_EQ(c.users(NodeId{7}), 2u);  // the caller and the name
  EXPECT_TRUE(c.find(kRoot, "a", 999'999'999));
  EXPECT_FALSE(c.find(kRoot, "a", 1'000'000'000));
  c.leave(NodeId{7}, 2, out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(c.invalidate_name(kRoot, "a", out), NodeId{7});
  EXPECT_TRUE(out.empty()) << "the caller is a user";
  c.leave(NodeId{7}, 1, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], std::make_pair(NodeId{7}, uint64_t{1}));
  // The mode outlives news of data, not of attributes.
  since = c.begin();
  c.enter(e, 0, since);
  c.invalidate_data(NodeId{7});
  EXPECT_FALSE(c.attributes(NodeId{7}, 1));
  EXPECT_TRUE(c.rules(NodeId{7}, 1, false));
  EXPECT_FALSE(c.rules(NodeId{7}, 1, true)) << "whether there is an ACL is not known";
  c.invalidate_attributes(NodeId{7});
  EXPECT_FALSE(c.rules(NodeId{7}, 1, false));
  c.learn(NodeId{7}, {e.attr, 1000}, 0, since);
  EXPECT_FALSE(c.attributes(NodeId{7}, 1)) << "asked before the news";
}

}  // namespace
}  // namespace isthmus::volume::testing
