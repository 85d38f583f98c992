#include "vfs/volume/listings.h"

#include <map>

#include "vfs/volume/volume_test.h"

/// Listings that the volume keeps: each is as good as one that the provider gives now.
namespace isthmus::volume::testing {
namespace {

std::shared_ptr<const Listed> listed(size_t n) {
  auto l = std::make_shared<Listed>();
  for (size_t i = 0; i < n; i++) l->add({.ino = i, .cookie = i + 1, .type = 0, .name = "n" + std::to_string(i)});
  return l;
}

TEST(Listings, AreBoundedAllTogether) {
  ChangeClock clock;
  Listings l(clock, 10);
  constexpr NodeId a{10}, b{11}, c{12};
  l.keep(a, listed(4), clock.now());
  l.keep(b, listed(4), clock.now());
  EXPECT_TRUE(l.find(a) && l.find(b));
  EXPECT_TRUE(l.find(a));
  l.keep(c, listed(4), clock.now());
  EXPECT_TRUE(l.find(a) && !l.find(b) && l.find(c)) << "which was used least recently goes";
  l.keep(b, listed(10), clock.now());
  EXPECT_FALSE(l.find(b));
  EXPECT_EQ(l.names(), 10u);
  for (uint64_t n = 20; n < 60; n++) l.keep(NodeId{n}, listed(0), clock.now());
  EXPECT_LE(l.names(), 10u);
}

TEST(Listings, WhatChangedMeanwhileIsNotKept) {
  ChangeClock clock;
  Listings l(clock, 100);
  constexpr NodeId a{10};
  const auto before = clock.now();
  l.drop(a);
  l.keep(a, listed(1), before);
  EXPECT_FALSE(l.find(a));
  l.keep(a, listed(1), clock.now());
  EXPECT_TRUE(l.find(a));
  const auto again = clock.now();
  l.drop_all();
  EXPECT_FALSE(l.find(a));
  l.keep(a, listed(1), again);
  EXPECT_FALSE(l.find(a));
  EXPECT_EQ(l.names(), 0u);
}

TEST(Listings, PlacesByCookie) {
  const auto l = listed(3);
  EXPECT_EQ(l->behind(0, 2), 0u);
  EXPECT_EQ(l->behind(2, 2), 2u);
  EXPECT_EQ(l->behind(2, 0), 2u);
  EXPECT_EQ(l->behind(3, 77), 3u);
  EXPECT_EQ(l->behind(4, 3), std::nullopt);
}

/// Names with their sizes, of a page of a listing; -1 where no attributes came along.
struct Page final : DirSink {
  explicit Page(size_t r) : left(r) {}
  bool add(const DirEntry& e) override {
    if (left == 0) return false;
    left--;
    cookie = e.cookie;
    if (e.name == "." || e.name == "..") return true;
    sizes[std::string(e.name)] = e.with ? static_cast<int64_t>(e.with->attr.size) : -1;
    if (e.with) nodes.push_back(e.with->node);
    return true;
  }
  size_t left;
  uint64_t cookie = 0;
  std::map<std::string, int64_t> sizes;
  std::vector<NodeId> nodes;
};

/// A directory that is being listed by a door.
struct Open {
  Open(Door& d, NodeId n) : door(d), node(n), opened(*d.run(op::OpenDir{{}, n})) {}
  ~Open() { EXPECT_TRUE(door.run(op::ReleaseDir{{}, node, opened.handle})); }
  /// False: there is no more.
  bool page(size_t most = 1000, bool with_attr = true, std::string_view pattern = {}) {
    Page p(most);
    op::ReadDir read;
    read.node = node;
    read.handle = opened.handle;
    read.cookie = cookie;
    read.with_attr = with_attr;
    read.pattern = pattern;
    read.sink = &p;
    EXPECT_TRUE(door.run(read));
    for (NodeId n : p.nodes) door.forget(n);
    for (auto& [name, size] : p.sizes) EXPECT_TRUE(seen.emplace(name, size).second) << name << " twice";
    if (p.left == most) return false;
    cookie = p.cookie;
    return true;
  }
  Door& door;
  const NodeId node;
  const Opened opened;
  uint64_t cookie = 0;
  std::map<std::string, int64_t> seen;
};

using Sizes = std::map<std::string, int64_t>;

struct KeptListings : ::testing::Test {
  void SetUp() override {
    rig.begin();
    dav = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::webdav});
    smb = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::smb});
    fuse = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::fuse, .has_kernel = true});
    for (const char* name : {"a", "b", "c", "d"}) make(*smb, name, 1);
  }
  void TearDown() override {
    dav.reset();
    smb.reset();
    fuse.reset();
    rig.end();
  }
  void make(Door& door, std::string_view name, size_t size) {
    const auto c = door.create(kRoot, name);
    ASSERT_TRUE(c);
    ASSERT_TRUE(door.write(c->entry.node, c->opened.handle, 0, std::string(size, 'x')));
    EXPECT_EQ(door.release(c->entry.node, c->opened.handle), 0);
    door.forget(c->entry.node);
  }
  Sizes list(Door& door, NodeId dir = kRoot, size_t page = 1000) {
    Open o(door, dir);
    while (o.page(page)) {
    }
    return o.seen;
  }
  uint64_t asked() const { return rig.gate.asked(Op::ReadDir); }
  Rig rig;
  std::unique_ptr<Door> dav, smb, fuse;
  const Sizes four{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
};

TEST_F(KeptListings, TheSecondAsksNobody) {
  EXPECT_EQ(list(*dav), four);
  const uint64_t before = asked();
  EXPECT_EQ(list(*dav), four);
  EXPECT_EQ(list(*smb, kRoot, 3), four);
  EXPECT_EQ(asked(), before);
  EXPECT_EQ(list(*fuse).size(), 4u);
  EXPECT_GT(asked(), before) << "kernels keep their own";
}

TEST_F(KeptListings, ChangesOfDoorsAreSeen) {
  for (Door* other : {smb.get(), fuse.get()}) {
    list(*dav);
    const auto made = other->run(op::Mkdir{{}, kRoot, "sub", 0755, {}});
    ASSERT_TRUE(made);
    EXPECT_TRUE(list(*dav).contains("sub"));
    ASSERT_EQ(other->rename(kRoot, "sub", kRoot, "bus"), 0);
    EXPECT_TRUE(list(*dav).contains("bus"));
    EXPECT_FALSE(list(*dav).contains("sub"));
    ASSERT_EQ(other->rmdir(kRoot, "bus"), 0);
    other->forget(made->node);
    EXPECT_EQ(list(*dav), four);
  }
}

TEST_F(KeptListings, ChangesOutsideAreSeen) {
  const auto behind = [&](std::string_view name) {
    const auto made = call_and_wait(rig.mem, op::Mkdir{{}, kRoot, name, 0755, {}});
    ASSERT_TRUE(made);
    forget(rig.mem, {}, made->node);
  };
  list(*dav);
  behind("one");
  rig.gate.told()->invalidate_entry(kRoot, "one");
  EXPECT_TRUE(list(*dav).contains("one"));
  behind("two");
  rig.gate.told()->invalidate_node(kRoot, 0, 0);
  EXPECT_TRUE(list(*dav).contains("two"));
  behind("three");
  rig.gate.told()->invalidate_all_names();
  EXPECT_TRUE(list(*dav).contains("three"));
  ASSERT_TRUE(call_and_wait(rig.mem, op::Rmdir{{}, kRoot, "one"}));
  rig.gate.told()->deleted(kRoot, NodeId::none, "one");
  EXPECT_FALSE(list(*dav).contains("one"));
}

TEST_F(KeptListings, AChangeWhileTheProviderLists) {
  {
    Open o(*dav, kRoot);
    ASSERT_TRUE(o.page(2));
    make(*smb, "new", 1);
    while (o.page()) {
    }
  }
  EXPECT_TRUE(list(*dav).contains("new"));
}

TEST_F(KeptListings, OneThatHasBegunGoesOn) {
  list(*dav);
  const uint64_t before = asked();
  Open o(*dav, kRoot);
  ASSERT_TRUE(o.page(3));
  ASSERT_EQ(o.seen.size(), 1u);  // and "." and ".."
  const std::string first = o.seen.begin()->first;
  std::string gone = first == "c" ? "d" : "c";
  ASSERT_EQ(smb->unlink(kRoot, gone), 0);
  while (o.page(1)) {
  }
  EXPECT_EQ(asked(), before);
  EXPECT_EQ(o.seen.size(), 4u);
  EXPECT_EQ(o.seen[gone], -1) << "nobody says what it was";
  o.cookie = 0;
  o.seen.clear();
  while (o.page()) {
  }
  EXPECT_GT(asked(), before) << "from the start it is listed anew";
  EXPECT_FALSE(o.seen.contains(gone));
}

TEST_F(KeptListings, AttributesAreThoseOfNow) {
  list(*dav);
  const auto o = smb->open(smb->node(kRoot, "b"));
  ASSERT_TRUE(o);
  ASSERT_TRUE(smb->write(smb->node(kRoot, "b"), o->handle, 0, "longer"));
  const Sizes now = list(*dav);
  EXPECT_TRUE(now.at("b") == 6 || now.at("b") == -1) << now.at("b");
  EXPECT_EQ(now.at("a"), 1);
  EXPECT_EQ(smb->release(smb->node(kRoot, "b"), o->handle), 0);
  // When little is known, the provider tells all at once.
  rig.gate.told()->invalidate_all_names();
  EXPECT_EQ(list(*dav).at("b"), 6);
}

TEST_F(KeptListings, NamesAlone) {
  list(*dav);
  const uint64_t before = asked();
  Open o(*dav, kRoot);
  while (o.page(2, false)) {
  }
  EXPECT_EQ(asked(), before);
  EXPECT_EQ(o.seen, (Sizes{{"a", -1}, {"b", -1}, {"c", -1}, {"d", -1}}));
}

TEST_F(KeptListings, WhatAPatternLeftOutMayBeMissing) {
  {
    Open o(*dav, kRoot);
    while (o.page(2, true, "a*")) {
    }
  }
  const uint64_t before = asked();
  EXPECT_EQ(list(*dav), four);
  EXPECT_GT(asked(), before);
}

TEST_F(KeptListings, ACookieOfAnotherListing) {
  list(*dav);
  Open o(*dav, kRoot);
  ASSERT_TRUE(o.page(3));
  o.cookie = 0x7fffffff;
  o.page();  // the provider's to answer
}

TEST_F(KeptListings, ADirectoryThatIsMadeAgain) {
  for (int i = 0; i < 3; i++) {
    const NodeId d = smb->mkdir(kRoot, "dir");
    const auto c = smb->create(d, "in" + std::to_string(i));
    ASSERT_TRUE(c);
    EXPECT_EQ(smb->release(c->entry.node, c->opened.handle), 0);
    smb->forget(c->entry.node);
    EXPECT_EQ(list(*dav, d), (Sizes{{"in" + std::to_string(i), 0}}));
    ASSERT_EQ(smb->unlink(d, "in" + std::to_string(i)), 0);
    EXPECT_TRUE(list(*dav, d).empty());
    ASSERT_EQ(smb->rmdir(kRoot, "dir"), 0);
  }
}

TEST(KeptListingsBound, ALargeDirectoryIsAskedForEachTime) {
  Rig rig({.cached_names = 64});
  rig.begin();
  {
    Door door(rig.v, {.door = DoorKind::webdav});
    for (int i = 0; i < 100; i++) {
      const auto made = door.run(op::Mkdir{{}, kRoot, "d" + std::to_string(i), 0755, {}});
      ASSERT_TRUE(made);
      door.forget(made->node);
    }
    for (int i = 0; i < 2; i++) {
      const uint64_t before = rig.gate.asked(Op::ReadDir);
      Open o(door, kRoot);
      while (o.page(30)) {
      }
      EXPECT_EQ(o.seen.size(), 100u);
      EXPECT_GT(rig.gate.asked(Op::ReadDir), before);
    }
  }
}

TEST(KeptListingsBound, NotOfAProviderThatDoesNotTell) {
  isthmus::testing::FlatFs fs;
  fs.put("a");
  Volume v(fs);
  ASSERT_TRUE(v.start());
  {
    Door door(v, {.door = DoorKind::webdav});
    for (size_t n = 1; n < 3; n++) {
      Open o(door, kRoot);
      while (o.page(1000, false)) {
      }
      EXPECT_EQ(o.seen.size(), n);
      fs.put("b");
    }
  }
  v.stop();
}

}  // namespace
}  // namespace isthmus::volume::testing
