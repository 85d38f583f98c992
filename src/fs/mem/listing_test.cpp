#include <dirent.h>

#include <random>
#include <set>

#include "fs/mem/test_mem.h"

namespace isthmus::fs::mem {
namespace {

TEST(MemListing, HasDotsAndTypes) {
  Mem m;
  NodeId d = m.mkdir(kRoot, "d")->node;
  ASSERT_TRUE(m.mknod(d, "f"));
  ASSERT_TRUE(m.mkdir(d, "sub"));
  ASSERT_TRUE(m.symlink(d, "s", "x"));
  ASSERT_TRUE(m.mknod(d, "p", S_IFIFO));
  ListSink l = m.list(d);
  EXPECT_EQ(l.order, (std::vector<std::string>{".", "..", "f", "sub", "s", "p"}));
  EXPECT_EQ(l.seen["f"].type, static_cast<uint32_t>(DT_REG));
  EXPECT_EQ(l.seen["sub"].type, static_cast<uint32_t>(DT_DIR));
  EXPECT_EQ(l.seen["s"].type, static_cast<uint32_t>(DT_LNK));
  EXPECT_EQ(l.seen["p"].type, static_cast<uint32_t>(DT_FIFO));
  EXPECT_EQ(l.seen["."].type, static_cast<uint32_t>(DT_DIR));
  EXPECT_EQ(m.run(op::OpenDir{{}, m.lookup(d, "f")->node, 0}).code(), ENOTDIR);
}

TEST(MemListing, GoesOnAtEveryCookie) {
  Mem m;
  for (int i = 0; i < 20; i++) ASSERT_TRUE(m.mknod(kRoot, std::to_string(i)));
  ListSink all = m.list(kRoot);
  ASSERT_EQ(all.order.size(), 22u);
  for (size_t i = 0; i < all.order.size(); i++) {
    ListSink rest = m.list(kRoot, all.seen[all.order[i]].cookie);
    EXPECT_EQ(rest.order, std::vector<std::string>(all.order.begin() + static_cast<long>(i) + 1, all.order.end()));
  }
  EXPECT_TRUE(m.list(kRoot, UINT64_MAX).order.empty());
}

TEST(MemListing, CountsLookupsOfWhatWasTaken) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node, g = m.mknod(kRoot, "g")->node;
  m.forget(f);
  m.forget(g);
  ListSink sink;
  sink.room = 3;
  op::ReadDir r;
  r.node = kRoot;
  r.with_attr = true;
  r.sink = &sink;
  ASSERT_TRUE(m.run(r));
  EXPECT_EQ(sink.seen["f"].with, f);
  EXPECT_EQ(sink.seen["."].with, NodeId::none);
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
  EXPECT_EQ(m.unlink(kRoot, "g"), 0);
  EXPECT_EQ(m.fs.inodes(), 2u);  // f is still known to the door, g never was
  m.forget(f);
  EXPECT_EQ(m.fs.inodes(), 1u);
}

// 5,000 names that stay and others that come and go while the directory is read.
TEST(MemListing, UntouchedNamesShowOnce) {
  Mem m;
  std::set<std::string> stay;
  for (int i = 0; i < 10000; i++) {
    std::string name = (i % 2 ? "stay" : "go") + std::to_string(i);
    ASSERT_TRUE(m.mknod(kRoot, name));
    if (i % 2) stay.insert(name);
  }
  auto h = m.run(op::OpenDir{{}, kRoot, 0});
  ASSERT_TRUE(h);
  std::mt19937 random(1);
  std::map<std::string, int> seen;
  uint64_t cookie = 0;
  for (int round = 0;; round++) {
    ListSink part = m.list(kRoot, cookie, 37, h->handle);
    if (part.order.empty()) break;
    for (auto& n : part.order) seen[n]++;
    cookie = part.last;
    for (int i = 0; i < 30; i++) {
      std::string name = "go" + std::to_string(random() % 5000 * 2);
      if (m.unlink(kRoot, name)) (void)m.mknod(kRoot, name);
    }
    (void)m.rename(kRoot, "go2", kRoot, "go4");
    (void)m.mknod(kRoot, "new" + std::to_string(round));
    ASSERT_LT(round, 2000) << "names made meanwhile keep the listing going";
  }
  for (auto& n : stay) ASSERT_EQ(seen[n], 1) << n;
}

// Through a handle, and without one, as doors ask that leave out open_dir.
TEST(MemListing, RenamingEverythingEnds) {
  for (bool by_handle : {true, false}) {
    SCOPED_TRACE(by_handle);
    Mem m;
    for (int i = 0; i < 100; i++) ASSERT_TRUE(m.mknod(kRoot, std::to_string(i)));
    HandleId h = by_handle ? m.run(op::OpenDir{{}, kRoot, 0})->handle : HandleId::none;
    uint64_t cookie = 0;
    int names = 0;
    for (;;) {
      ListSink part = m.list(kRoot, cookie, 1, h);
      if (part.order.empty()) break;
      cookie = part.last;
      if (part.order[0][0] == '.') continue;
      ASSERT_EQ(m.rename(kRoot, part.order[0], kRoot, part.order[0] + "x"), 0);
      ASSERT_LE(++names, 100);
    }
    EXPECT_EQ(names, 100);
    EXPECT_EQ(m.list(kRoot, 0, SIZE_MAX, h).order.size(), 102u);  // a rewind sees the new names
  }
}

TEST(MemListing, ASecondListingCutsNothingOffTheFirst) {
  Mem m;
  for (int i = 0; i < 10; i++) ASSERT_TRUE(m.mknod(kRoot, std::to_string(i)));
  ListSink first = m.list(kRoot, 0, 4);
  ASSERT_TRUE(m.mknod(kRoot, "new"));
  EXPECT_EQ(m.list(kRoot).order.size(), 13u);
  ListSink rest = m.list(kRoot, first.last);
  for (int i = 2; i < 10; i++) EXPECT_TRUE(rest.seen.contains(std::to_string(i))) << i;
  EXPECT_EQ(m.list(kRoot, first.last).order.size(), rest.order.size());
}

TEST(MemListing, ReplacedNamesKeepTheirPlace) {
  Mem m;
  ASSERT_TRUE(m.mknod(kRoot, "a"));
  ASSERT_TRUE(m.mknod(kRoot, "b"));
  uint64_t b = m.list(kRoot).seen["b"].cookie;
  ASSERT_TRUE(m.mknod(kRoot, "c"));
  EXPECT_EQ(m.rename(kRoot, "c", kRoot, "b"), 0);
  EXPECT_EQ(m.list(kRoot).seen["b"].cookie, b);
}

TEST(MemListing, RemovedDirectory) {
  Mem m;
  NodeId d = m.mkdir(kRoot, "d")->node;
  auto h = m.run(op::OpenDir{{}, d, 0});
  EXPECT_EQ(m.rmdir(kRoot, "d"), 0);
  ListSink sink;
  op::ReadDir r;
  r.node = d;
  r.handle = h->handle;
  r.sink = &sink;
  EXPECT_EQ(m.run(r).code(), ENOENT);
  ASSERT_TRUE(m.run(op::ReleaseDir{{}, d, h->handle}));
  m.forget(d);
  EXPECT_EQ(m.fs.inodes(), 1u);
}

}  // namespace
}  // namespace isthmus::fs::mem
