#include "vfs/volume/volume_test.h"

namespace isthmus::volume::testing {
namespace {

struct WatchesTest : ::testing::Test {
  void SetUp() override {
    rig.begin();
    dav = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::webdav});
    fuse = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::fuse, .has_kernel = true});
    dir = fuse->mkdir(kRoot, "dir");
    sub = fuse->mkdir(dir, "sub");
  }
  void TearDown() override {
    watching.reset();
    dav.reset();
    fuse.reset();
    rig.end();
  }
  void watch(NodeId node, bool subtree, uint32_t what = UINT32_MAX, size_t most = 1024) {
    dav->node(kRoot, "dir");
    WatchWish w{node, what, subtree, most};
    Errno e{};
    dav->port->watch(
        dav->ctx, w,
        [this] {
          wakes++;
          if (eager && watching) taken.push_back(take());
        },
        [&](Result<std::unique_ptr<Watching>> r) {
          if (r)
            watching = std::move(*r);
          else
            e = r.error();
        });
    error = e;
  }
  /// "+a -a a>b a<b ~a (attributes) *a (data) x a (xattr)", with the door's number.
  std::vector<std::string> take() {
    std::vector<std::string> out;
    for (auto& e : watching->take()) {
      if (e.overflow) {
        out.emplace_back("overflow");
        continue;
      }
      std::string kinds;
      const char letters[] = "+-<>*~x";
      for (int i = 0; i < 7; i++)
        if (e.what & (1u << i)) kinds += letters[i];
      out.push_back(kinds + e.path + "@" +
                    (e.port == fuse->port->id()  ? "fuse"
                     : e.port == dav->port->id() ? "dav"
                                                 : "outside"));
    }
    return out;
  }
  void make(Door& d, NodeId where, const std::string& name) {
    auto e = d.run(op::Mknod{{}, where, name, S_IFREG | 0644, 0, {}});
    ASSERT_TRUE(e);
    d.forget(e->node);
  }
  Rig rig;
  std::unique_ptr<Door> dav, fuse;
  std::unique_ptr<Watching> watching;
  NodeId dir{}, sub{};
  std::atomic<int> wakes{0};
  Errno error{};
  bool eager = false;  // takes when woken, on the waker's thread
  std::vector<std::vector<std::string>> taken;
};
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(WatchesTest, ADirectory) {
  watch(dir, false);
  ASSERT_TRUE(watching);
  make(*fuse, dir, "a");
  EXPECT_EQ(wakes, 1);
  make(*dav, dir, "b");
  EXPECT_EQ(wakes, 1) << "woken once, until the events are taken";
  make(*fuse, sub, "deeper");
  make(*fuse, kRoot, "above");
  EXPECT_THAT(take(), ElementsAre("+a@fuse", "+b@dav"));
  ASSERT_EQ(fuse->rename(dir, "a", dir, "c"), 0);
  auto events = watching->take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].what, uint32_t{kWatchRenamedFrom});
  EXPECT_EQ(events[1].path, "c");
  EXPECT_NE(events[0].cookie, 0u);
  EXPECT_EQ(events[0].cookie, events[1].cookie);
  ASSERT_EQ(fuse->rename(dir, "c", kRoot, "c"), 0);
  ASSERT_EQ(dav->unlink(dir, "b"), 0);
  EXPECT_THAT(take(), ElementsAre("<c@fuse", "-b@dav"));
  EXPECT_EQ(wakes, 3);
}

TEST_F(WatchesTest, BothSidesOfARenameComeAtOnce) {
  make(*fuse, dir, "a");
  eager = true;
  watch(dir, false);
  ASSERT_EQ(fuse->rename(dir, "a", dir, "b"), 0);
  ASSERT_EQ(fuse->rename(dir, "b", kRoot, "b"), 0);
  ASSERT_EQ(fuse->rename(kRoot, "b", dir, "c"), 0);
  EXPECT_THAT(taken, ElementsAre(ElementsAre("<a@fuse", ">b@fuse"), ElementsAre("<b@fuse"), ElementsAre(">c@fuse")));
}

TEST_F(WatchesTest, ASubtreeKnowsPaths) {
  watch(kRoot, true);
  make(*fuse, sub, "f");
  NodeId f = dav->node(dav->node(dav->node(kRoot, "dir"), "sub"), "f");
  ASSERT_TRUE(dav->write(f, HandleId::none, 0, "text"));
  Attr to;
  to.mode = 0600;
  ASSERT_TRUE(fuse->set(f, kSetMode, to));
  ASSERT_TRUE(fuse->run(op::SetXattr{{}, f, "user.x", as_bytes("v"), 0, false}));
  ASSERT_EQ(fuse->rename(kRoot, "dir", kRoot, "moved"), 0);
  ASSERT_TRUE(dav->write(f, HandleId::none, 0, "more"));
  EXPECT_THAT(take(), ElementsAre("+dir/sub/f@fuse", "*dir/sub/f@dav", "~dir/sub/f@fuse", "xdir/sub/f@fuse",
                                  "<dir@fuse", ">moved@fuse", "*moved/sub/f@dav"));
  ASSERT_EQ(fuse->unlink(sub, "f"), 0);
  ASSERT_EQ(fuse->rmdir(dir, "sub"), 0);
  EXPECT_THAT(take(), ElementsAre("-moved/sub/f@fuse", "-moved/sub@fuse"));
}

TEST_F(WatchesTest, AFileAndFilters) {
  make(*fuse, dir, "f");
  NodeId f = dav->node(dav->node(kRoot, "dir"), "f");
  watch(f, false, kWatchModified);
  ASSERT_TRUE(fuse->write(f, HandleId::none, 0, "x"));
  Attr to;
  to.mode = 0600;
  ASSERT_TRUE(fuse->set(f, kSetMode, to));
  EXPECT_THAT(take(), ElementsAre("*@fuse"));
  ASSERT_EQ(fuse->rename(dir, "f", kRoot, "elsewhere"), 0);
  ASSERT_TRUE(fuse->write(f, HandleId::none, 0, "x"));
  EXPECT_THAT(take(), ElementsAre("*@fuse")) << "wherever it is";
}

TEST_F(WatchesTest, RepetitionsAreOneAndTooManyAreNone) {
  watch(dir, false, UINT32_MAX, 8);
  make(*fuse, dir, "f");
  NodeId f = fuse->node(dir, "f");
  for (int i = 0; i < 100; i++) ASSERT_TRUE(fuse->write(f, HandleId::none, 0, "x"));
  EXPECT_THAT(take(), ElementsAre("+f@fuse", "*f@fuse"));
  for (int i = 0; i < 3; i++) {
    make(*fuse, dir, "g");
    ASSERT_EQ(fuse->unlink(dir, "g"), 0);
  }
  EXPECT_THAT(take(), ElementsAre("+g@fuse", "-g@fuse", "+g@fuse", "-g@fuse", "+g@fuse", "-g@fuse"));
  for (int i = 0; i < 20; i++) make(*fuse, dir, "n" + std::to_string(i));
  EXPECT_THAT(take(), ElementsAre("overflow"));
  make(*fuse, dir, "again");
  EXPECT_THAT(take(), ElementsAre("+again@fuse"));
}

TEST_F(WatchesTest, TheProvidersNews) {
  watch(kRoot, true);
  rig.gate.told()->invalidate_entry(dir, "x");
  rig.gate.told()->deleted(dir, NodeId{999}, "y");
  rig.gate.told()->invalidate_node(sub, 0, 0);
  rig.gate.told()->changed(sub, "z", kWatchCreated);
  EXPECT_THAT(take(), ElementsAre("+-dir/x@outside", "-dir/y@outside", "*dir/sub@outside", "+dir/sub/z@outside"));
  rig.gate.told()->invalidate_all_names();
  EXPECT_THAT(take(), ElementsAre("overflow"));
  rig.gate.told()->invalidate_node(NodeId{12345}, 0, 0);
  EXPECT_THAT(take(), ElementsAre("overflow")) << "something changed, nobody knows where";
}

TEST_F(WatchesTest, NeedsTheRightToRead) {
  Attr to;
  to.mode = 0700;
  ASSERT_TRUE(fuse->set(dir, kSetMode, to));
  dav->ctx = as_user(2000, 2000);
  watch(dir, false);
  EXPECT_EQ(error, err(EACCES));
  EXPECT_FALSE(watching);
}

TEST_F(WatchesTest, EndsWithTheObject) {
  watch(dir, false);
  watching.reset();
  make(*fuse, dir, "a");
  EXPECT_EQ(wakes, 0);
}

// Watches come and go while things happen; the sanitizers look.
TEST_F(WatchesTest, Threads) {
  std::atomic<bool> stop{false};
  std::thread maker([&] {
    for (int i = 0; !stop; i++) {
      make(*fuse, dir, "t" + std::to_string(i));
      EXPECT_EQ(fuse->unlink(dir, "t" + std::to_string(i)), 0);
    }
  });
  for (int i = 0; i < 100; i++) {
    watch(i % 2 ? kRoot : dir, i % 2);
    watching->take();
    watching.reset();
  }
  stop = true;
  maker.join();
}

}  // namespace
}  // namespace isthmus::volume::testing
