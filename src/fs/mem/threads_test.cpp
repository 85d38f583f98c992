#include <atomic>
#include <random>
#include <thread>

#include "fs/mem/test_mem.h"

#ifdef ISTHMUS_TSAN
// Directories are locked parents first, and moving one turns the order of two around: ThreadSanitizer takes what was
// right before the move and what is right after it for a circle.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "detect_deadlocks=0"; }
#endif

/// Many threads at once. Run under the tsan and asan presets, too.
namespace isthmus::fs::mem {
namespace {

// Threads make, move, link, remove, list, read and write names in a few directories; in the end everything that is
// counted must be accounted for by what can be found.
TEST(MemThreads, Everything) {
  Mem m;
  constexpr int kThreads = 4, kRounds = 4000, kDirs = 5;
  std::vector<NodeId> dirs{kRoot};
  for (int i = 1; i < kDirs; i++)
    dirs.push_back(m.mkdir(dirs[static_cast<size_t>(i) / 2], "dir" + std::to_string(i))->node);
  auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    auto dir = [&] { return dirs[random() % dirs.size()]; };
    auto name = [&] { return "n" + std::to_string(random() % 12); };
    for (int i = 0; i < kRounds; i++) {
      switch (random() % 12) {
        case 0:
          if (auto e = m.mknod(dir(), name())) m.forget(e->node);
          break;
        case 1:
          if (auto e = m.mkdir(dir(), name())) m.forget(e->node);
          break;
        case 2:
          (void)m.unlink(dir(), name());
          break;
        case 3:
          (void)m.rmdir(dir(), name());
          break;
        case 4:
        case 5:
          (void)m.rename(dir(), name(), dir(), name());
          break;
        case 6:
          (void)m.rename(dir(), name(), dir(), name(), random() % 2 ? RENAME_EXCHANGE : RENAME_NOREPLACE);
          break;
        case 7: {
          std::string d = "dir" + std::to_string(1 + random() % (kDirs - 1));
          (void)m.rename(dir(), d, dir(), d);
          break;
        }
        case 8:
          if (auto c = m.create(dir(), name())) {
            (void)m.write(c->entry.node, random() % 20000, std::string(random() % 9000, 'x'));
            (void)m.read(c->entry.node, 0, 30000);
            (void)m.truncate(c->entry.node, random() % 5000);
            (void)m.run(op::Release{{}, c->entry.node, c->opened.handle, 0, 0, false, false});
            m.forget(c->entry.node);
          }
          break;
        case 9:
          if (auto e = m.lookup(dir(), name()); e && e->node != NodeId::none) {
            if (auto l = m.link(e->node, dir(), name())) m.forget(l->node);
            (void)m.set_xattr(e->node, "user.x", "y");
            (void)m.chmod(e->node, random() % 0777);
            m.forget(e->node);
          }
          break;
        case 10: {
          ListSink sink;
          op::ReadDir r;
          r.node = dir();
          r.with_attr = true;
          r.sink = &sink;
          (void)m.run(r);
          for (auto& [n, l] : sink.seen)
            if (l.with != NodeId::none) m.forget(l.with);
          break;
        }
        case 11:
          if (auto e = m.lookup(dir(), ".."); e) m.forget(e->node);
          break;
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; i++) threads.emplace_back(work, i + 1);
  for (auto& t : threads) t.join();

  // What can be found from the root, each with all its names.
  std::map<NodeId, uint32_t> names;
  uint64_t pages = 0;
  std::function<void(NodeId)> walk = [&](NodeId d) {
    uint32_t subdirs = 0;
    for (auto& n : m.list(d).order) {
      if (n == "." || n == "..") continue;
      auto e = m.lookup(d, n);
      ASSERT_TRUE(e && e->node != NodeId::none);
      if (names[e->node]++ == 0) pages += e->attr.blocks * 512;
      if (S_ISDIR(e->attr.mode)) {
        subdirs++;
        EXPECT_EQ(names[e->node], 1u);
        auto up = m.lookup(e->node, "..");
        EXPECT_EQ(up->node, d);
        m.forget(up->node);
        walk(e->node);
      } else {
        EXPECT_GE(e->attr.nlink, names[e->node]);
      }
      m.forget(e->node);
    }
    EXPECT_EQ(m.stat(d).nlink, subdirs + 2);
  };
  walk(kRoot);
  EXPECT_EQ(m.fs.inodes(), names.size() + 1);
  EXPECT_EQ(m.fs.space().inodes(), names.size() + 1);
  EXPECT_GE(m.fs.space().bytes(), pages);
}

// Directories moved below each other from several threads never form a circle.
TEST(MemThreads, NoCircles) {
  Mem m;
  NodeId a = m.mkdir(kRoot, "a")->node, b = m.mkdir(kRoot, "b")->node, c = m.mkdir(kRoot, "c")->node;
  auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    NodeId at[] = {kRoot, a, b, c};
    const char* what[] = {"a", "b", "c"};
    for (int i = 0; i < 3000; i++) {
      const char* n = what[random() % 3];
      (void)m.rename(at[random() % 4], n, at[random() % 4], n);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; i++) threads.emplace_back(work, i + 1);
  for (auto& t : threads) t.join();
  for (NodeId n : {a, b, c}) {
    int steps = 0;
    while (n != kRoot && steps++ < 5) n = m.lookup(n, "..")->node;
    EXPECT_EQ(n, kRoot);
  }
}

// Appends from several threads never overwrite each other.
TEST(MemThreads, Appends) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'e'; c++)
    threads.emplace_back([&m, f, c] {
      for (int i = 0; i < 500; i++) EXPECT_EQ(*m.write(f, 0, std::string(37, c), true), 37u);
    });
  for (auto& t : threads) t.join();
  std::string all = *m.read(f, 0, 1 << 20);
  ASSERT_EQ(all.size(), 4u * 500 * 37);
  std::map<char, int> runs;
  for (size_t i = 0; i < all.size(); i += 37) {
    ASSERT_EQ(all.substr(i, 37), std::string(37, all[i]));
    runs[all[i]]++;
  }
  for (char c = 'a'; c < 'e'; c++) EXPECT_EQ(runs[c], 500);
}

// Nodes that are revived by number while others unlink them.
TEST(MemThreads, ReviveAgainstRemoval) {
  Mem m;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> last{0};
  std::thread finder([&] {
    while (!stop) {
      if (auto e = m.lookup(NodeId{last.load()}, ".")) m.forget(e->node);
    }
  });
  for (int i = 0; i < 5000; i++) {
    auto e = m.mknod(kRoot, "f");
    last = raw(e->node);
    m.forget(e->node);
    ASSERT_EQ(m.unlink(kRoot, "f"), 0);
  }
  stop = true;
  finder.join();
  EXPECT_EQ(m.fs.inodes(), 1u);
}

}  // namespace
}  // namespace isthmus::fs::mem
