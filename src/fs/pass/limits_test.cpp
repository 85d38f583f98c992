#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <thread>

#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

class Limits : public OnStores {};
INSTANTIATE_TEST_SUITE_P(Stores, Limits, kStores, where_name);

size_t open_fds() {
  size_t n = 0;
  for ([[maybe_unused]] auto& e : std::filesystem::directory_iterator("/proc/self/fd")) n++;
  return n;
}

TEST_P(Limits, ManyNodesFewDescriptors) {
  const int dirs = on_disk() ? 10 : 100, each = 200;
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit low = old;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  f.begin(options());  // sizes its cache anew
  std::vector<NodeId> nodes;
  int failures = 0;
  for (int i = 0; i < dirs; i++) {
    auto d = f.mkdir(kRoot, "d" + std::to_string(i));
    if (!d) {
      failures++;
      continue;
    }
    for (int j = 0; j < each; j++) {
      auto c = f.make(d->node, "f" + std::to_string(j));
      if (!c) {
        failures++;
        continue;
      }
      f.close(c->entry.node, c->opened.handle);
      nodes.push_back(c->entry.node);
    }
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(f.fs->known_nodes(), 1u + static_cast<size_t>(dirs + dirs * each));
  for (size_t i = 0; i < nodes.size(); i += 7) {
    auto o = f.open(nodes[i], O_RDWR);
    if (!o || !f.attr(nodes[i])) failures++;
    if (o) f.close(nodes[i], o->handle);
  }
  EXPECT_EQ(failures, 0);
  EXPECT_LT(open_fds(), 40u);
  // With all descriptors in use the cache gives its own up; then EMFILE is said, and all is well afterwards.
  std::vector<Opened> open;
  Result<Opened> last = err(0);
  for (size_t i = 0; i < 100 && (last = f.open(nodes[i], O_RDONLY)); i++) open.push_back(*last);
  EXPECT_EQ(last.code(), EMFILE);
  EXPECT_GT(open.size(), 30u);
  for (size_t i = 0; i < open.size(); i++) f.close(nodes[i], open[i].handle);
  EXPECT_TRUE(f.open(nodes[0], O_RDONLY));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  for (auto n : nodes) f.forget(n);
  EXPECT_EQ(f.fs->known_nodes(), 1u + static_cast<size_t>(dirs));
}

TEST_P(Limits, ForgettingABranchAtOnce) {
  std::vector<NodeId> chain{kRoot};
  for (int i = 0; i < 200; i++) chain.push_back(f.mkdir(chain.back(), "d")->node);
  // The parents first: they stay known to us as long as their children need them.
  for (size_t i = 1; i + 1 < chain.size(); i++) f.forget(chain[i]);
  EXPECT_TRUE(f.attr(chain.back()));
  EXPECT_TRUE(f.mkdir(chain.back(), "last"));
  auto last = f.look(chain.back(), "last");
  f.forget(last->node, 2);
  f.forget(chain.back());
  EXPECT_EQ(f.fs->known_nodes(), 1u);
}

TEST_P(Limits, ThreadsLookUpAndForget) {
  for (int i = 0; i < 20; i++) {
    f.mkdir(kRoot, "d" + std::to_string(i)).ok();
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      for (int i = 0; i < (on_disk() ? 100 : 2000); i++) {
        std::string name = "d" + std::to_string((i * 7 + t) % 20);
        auto d = f.look(kRoot, name);
        if (!d) {
          wrong++;
          continue;
        }
        std::string file = "f" + std::to_string(t);
        if (auto c = f.make(d->node, file)) {
          f.close(c->entry.node, c->opened.handle);
          (void)!f.rename(d->node, file, d->node, file + "x").ok();
          if (!f.attr(c->entry.node)) wrong++;
          if (!f.unlink(d->node, file + "x")) wrong++;
          if (auto a = f.attr(c->entry.node); !a || a->nlink != 0) wrong++;
          f.forget(c->entry.node);
        } else {
          wrong++;
        }
        f.forget(d->node);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Limits, MountsBelow) {
  ISTHMUS_NEEDS_ROOT();
  for (auto name : {"m", "b", "b/x"}) f.mkdir(kRoot, name).ok();
  std::filesystem::create_directories(f.path("b/x"));
  bool mounted = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNS) < 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        ::mount("tmpfs", f.path("m").c_str(), "tmpfs", 0, "size=1m") < 0)
      return;
    mounted = true;
    f.begin(options());
    auto m = f.look(kRoot, "m");
    ASSERT_TRUE(m);
    auto c = f.make(m->node, "file");
    ASSERT_TRUE(c) << c.code();
    ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, "below"));
    std::string big(2 << 20, 'x');
    auto w = f.write(c->entry.node, c->opened.handle, 0, big);
    ASSERT_TRUE(w);
    EXPECT_LT(*w, big.size());  // the part that fitted, then the error
    EXPECT_EQ(f.write(c->entry.node, c->opened.handle, *w, big).code(), ENOSPC);
    f.close(c->entry.node, c->opened.handle);
    // Inode numbers of the two devices do not meet.
    std::map<uint64_t, int> inos;
    for (int i = 0; i < 50; i++) {
      auto a = f.make(m->node, "i" + std::to_string(i)), b = f.make(kRoot, "i" + std::to_string(i));
      ASSERT_TRUE(a && b);
      inos[a->entry.attr.ino]++;
      inos[b->entry.attr.ino]++;
      f.close(a->entry.node, a->opened.handle);
      f.close(b->entry.node, b->opened.handle);
    }
    EXPECT_EQ(inos.size(), 100u);
    EXPECT_EQ(f.look(m->node, "file")->node, c->entry.node);
    EXPECT_TRUE(f.attr(c->entry.node));
    EXPECT_EQ(f.look(m->node, "..")->node, kRoot);
    EXPECT_EQ(f.rename(kRoot, "i0", m->node, "moved").code(), EXDEV);
    EXPECT_EQ(f.run(op::Link{{}, c->entry.node, kRoot, "l"}).code(), EXDEV);
    EXPECT_TRUE(f.run(op::Sync{}));
    if (auto h = f.run(op::NodeToExport{{}, c->entry.node})) {
      auto back = f.run(op::ExportToNode{{}, *h});
      ASSERT_TRUE(back);
      EXPECT_EQ(back->node, c->entry.node);
    }
    f.begin(options());  // lets the mount go
    EXPECT_EQ(::umount2(f.path("m").c_str(), 0), 0) << errno;
  }).join();
  if (!mounted) GTEST_SKIP() << "cannot mount here";
}

TEST(Options, Parse) {
  PassOptions o;
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(PassOptions::parse(Pairs{{"cache", "none"}, {"ro", ""}, {"fds", "100"}, {"handles", "no"}}, o), "");
  EXPECT_EQ(o.cache, Cache::none);
  EXPECT_TRUE(o.read_only);
  EXPECT_EQ(o.max_fds, 100u);
  EXPECT_FALSE(o.handles);
  EXPECT_NE(PassOptions::parse(Pairs{{"cache", "some"}}, o).find("none, auto or always"), std::string::npos);
  EXPECT_NE(PassOptions::parse(Pairs{{"fds", "x"}}, o), "");
  EXPECT_NE(PassOptions::parse(Pairs{{"nothing", ""}}, o), "");
}

TEST(Options, StartSaysWhatIsWrong) {
  Upcalls up;
  EXPECT_EQ(PassFs("/nonexistent/folder").start(up).code(), ENOENT);
  EXPECT_EQ(PassFs("/dev/null").start(up).code(), ENOTDIR);
}

}  // namespace isthmus::fs::pass::test
