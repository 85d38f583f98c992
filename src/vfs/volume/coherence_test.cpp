#include <sys/xattr.h>

#include "vfs/volume/volume_test.h"

/// What one door does, the others hear: the caches of doors without a kernel, and the kernels of those with one.
namespace isthmus::volume::testing {
namespace {

struct CoherenceTest : ::testing::Test {
  void SetUp() override {
    rig.begin();
    dav = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::webdav});
    fuse = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::fuse, .has_kernel = true});
  }
  void TearDown() override {
    dav.reset();
    fuse.reset();
    rig.end();
  }
  std::string id(NodeId n) { return std::to_string(raw(n)); }
  Rig rig;
  std::unique_ptr<Door> dav, fuse;
};

TEST_F(CoherenceTest, AnswersWaitUntilAKernelHasHeard) {
  fuse->ears.slow = true;
  auto make = dav->begin(op::Mkdir{{}, kRoot, "d", 0755, {}});
  EXPECT_FALSE(make->done());
  EXPECT_TRUE(fuse->ears.heard("entry 1 d"));
  ASSERT_EQ(fuse->ears.waiting.size(), 1u);
  fuse->ears.waiting[0]();
  ASSERT_TRUE(make->done());
  ASSERT_TRUE(*make->result);
  dav->forget((*make->result)->node);
  // What changes nothing waits for nobody, nor does a kernel for another door.
  EXPECT_TRUE(dav->run(op::Getattr{{}, kRoot}));
  dav->ears.slow = true;
  auto other = fuse->run(op::Mkdir{{}, kRoot, "e", 0755, {}});
  ASSERT_TRUE(other);
  fuse->forget(other->node);
  EXPECT_EQ(fuse->ears.waiting.size(), 1u);
}

TEST_F(CoherenceTest, AKernelThatNeverHearsDelaysAnAnswerOnly) {
  fuse->ears.slow = true;
  const int64_t before = monotonic_ns();
  EXPECT_EQ(dav->run(op::Rmdir{{}, kRoot, "nothing"}).code(), ENOENT);
  EXPECT_TRUE(fuse->ears.waiting.empty());
  auto make = dav->run(op::Mkdir{{}, kRoot, "d", 0755, {}});
  ASSERT_TRUE(make);
  dav->forget(make->node);
  EXPECT_GE(monotonic_ns() - before, 400'000'000);
  for (auto& f : fuse->ears.waiting) f();  // too late: nothing happens
}

TEST_F(CoherenceTest, AKernelHearsOfADoorsChanges) {
  auto c = dav->create(kRoot, "f");
  ASSERT_TRUE(c);
  NodeId f = c->entry.node;
  EXPECT_TRUE(fuse->ears.heard("entry 1 f"));
  EXPECT_TRUE(fuse->ears.heard("node 1 0 0"));
  fuse->ears.take();
  ASSERT_TRUE(dav->write(f, c->opened.handle, 10, "12345"));
  EXPECT_TRUE(fuse->ears.heard("node " + id(f) + " 10 5"));
  Attr to;
  to.size = 3;
  to.mode = 0600;
  ASSERT_TRUE(dav->set(f, kSetSize | kSetMode, to));
  EXPECT_TRUE(fuse->ears.heard("node " + id(f) + " 3 0"));
  EXPECT_TRUE(fuse->ears.heard("attr " + id(f)));
  fuse->ears.take();
  ASSERT_TRUE(dav->run(op::SetXattr{{}, f, "user.x", as_bytes("v"), 0, false}));
  EXPECT_TRUE(fuse->ears.heard("attr " + id(f)));
  ASSERT_EQ(dav->rename(kRoot, "f", kRoot, "g"), 0);
  EXPECT_TRUE(fuse->ears.heard("entry 1 f"));
  EXPECT_TRUE(fuse->ears.heard("entry 1 g"));
  ASSERT_EQ(dav->unlink(kRoot, "g"), 0);
  EXPECT_TRUE(fuse->ears.heard("deleted 1 " + id(f) + " g"));
  EXPECT_TRUE(dav->ears.take().empty()) << "who did it has no need to hear";
  dav->release(f, c->opened.handle);
}

TEST_F(CoherenceTest, AFailureTellsNobody) {
  EXPECT_EQ(dav->unlink(kRoot, "none"), ENOENT);
  EXPECT_EQ(dav->rmdir(kRoot, "none"), ENOENT);
  EXPECT_TRUE(fuse->ears.take().empty());
}

TEST_F(CoherenceTest, ADoorSeesWhatAKernelDoes) {
  EXPECT_EQ(dav->node(kRoot, "f"), NodeId::none);
  auto c = fuse->create(kRoot, "f");
  ASSERT_TRUE(c);
  NodeId f = dav->node(kRoot, "f");
  EXPECT_EQ(f, c->entry.node);
  EXPECT_EQ(dav->stat(f).size, 0u);
  ASSERT_TRUE(fuse->write(f, c->opened.handle, 0, "new"));
  EXPECT_EQ(dav->stat(f).size, 3u);
  EXPECT_EQ(dav->read(f, HandleId::none), "new");
  // A second name goes; the first one's attributes change.
  ASSERT_TRUE(fuse->run(op::Link{{}, f, kRoot, "h"}));
  EXPECT_EQ(dav->stat(f).nlink, 2u);
  ASSERT_EQ(fuse->unlink(kRoot, "h"), 0);
  EXPECT_EQ(dav->stat(f).nlink, 1u);
  ASSERT_EQ(fuse->rename(kRoot, "f", kRoot, "g"), 0);
  EXPECT_EQ(dav->node(kRoot, "f"), NodeId::none);
  EXPECT_EQ(dav->node(kRoot, "g"), f);
  fuse->release(f, c->opened.handle);
  fuse->forget(f, 2);
}

TEST_F(CoherenceTest, KernelsGetNoDescriptorsToUseByThemselves) {
  EXPECT_FALSE(fuse->port->traits().inode_addressed);
  EXPECT_FALSE(fuse->port->traits().write_back);
  EXPECT_TRUE(fuse->port->traits().locks_shared);
  EXPECT_TRUE(fuse->port->capabilities().has(Op::Open));
}

TEST_F(CoherenceTest, ListingsCountTheirEntries) {
  for (int i = 0; i < 50; i++) {
    auto e = dav->run(op::Mknod{{}, kRoot, "f" + std::to_string(i), S_IFREG | 0644, 0, {}});
    ASSERT_TRUE(e);
    dav->forget(e->node);
  }
  rig.gate.told()->invalidate_all_names();
  isthmus::testing::NameSink sink;
  ASSERT_TRUE(dav->run(op::ReadDir{{}, kRoot, HandleId::none, 0, true, {}, &sink}));
  uint64_t asked = rig.gate.asked(Op::Lookup);
  size_t with = 0;
  for (size_t i = 0; i < sink.names.size(); i++) {
    if (sink.with[i] == NodeId::none) continue;
    with++;
    EXPECT_EQ(dav->node(kRoot, sink.names[i]), sink.with[i]);
    dav->forget(sink.with[i]);
  }
  EXPECT_EQ(with, 50u);
  EXPECT_EQ(rig.gate.asked(Op::Lookup), asked) << "the listing filled the cache";
}

// Two doors at once, in threads: what one has made, the other sees as soon as the call has returned.
TEST_F(CoherenceTest, AtOnceInThreads) {
  auto c = fuse->create(kRoot, "counter");
  ASSERT_TRUE(c);
  NodeId f = c->entry.node;
  std::atomic<int> written{0};
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      int least = written.load();
      EXPECT_GE(dav->stat(f).size, static_cast<uint64_t>(least));
      auto e = dav->lookup(kRoot, "n" + std::to_string(least));
      if (least) {
        EXPECT_TRUE(e && e->node != NodeId::none) << least;
      }
      if (e && e->node != NodeId::none) dav->forget(e->node);
    }
  });
  for (int i = 1; i <= 300; i++) {
    ASSERT_TRUE(fuse->write(f, c->opened.handle, static_cast<uint64_t>(i) - 1, "x"));
    auto e = fuse->run(op::Mknod{{}, kRoot, "n" + std::to_string(i), S_IFREG | 0644, 0, {}});
    ASSERT_TRUE(e);
    fuse->forget(e->node);
    written = i;
  }
  stop = true;
  reader.join();
  fuse->release(f, c->opened.handle);
  fuse->forget(f);
}

}  // namespace
}  // namespace isthmus::volume::testing
