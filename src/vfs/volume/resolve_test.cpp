#include <thread>

#include "vfs/volume/volume_test.h"

namespace isthmus::volume::testing {
namespace {

struct ResolveTest : ::testing::Test {
  void SetUp() override {
    rig.begin();
    door = std::make_unique<Door>(rig.v, PortOptions{});
    a = door->mkdir(kRoot, "a");
    b = door->mkdir(a, "b");
    auto c = door->create(b, "f");
    f = c->entry.node;
    door->release(f, c->opened.handle);
  }
  void TearDown() override {
    door.reset();
    rig.end();
  }
  void link(NodeId dir, std::string_view name, std::string_view target) {
    auto e = door->run(op::Symlink{{}, dir, name, target, {}});
    ASSERT_TRUE(e);
    door->forget(e->node);
  }
  /// "node", "missing NAME in DIR" or "error N", with all lookups given back.
  std::string go(std::string_view path, ResolveOptions o = {}) {
    auto r = door->resolve(path, o);
    if (!r) return std::string(name_of(r.error()));
    give_back(*door->port, door->ctx, *r);
    auto id = [&](NodeId n) {
      return n == kRoot ? "root" : n == a ? "a" : n == b ? "b" : n == f ? "f" : n == NodeId::none ? "none" : "other";
    };
    if (r->entry.node == NodeId::none) return fmt::format("missing {} in {}", r->name, id(r->parent));
    return fmt::format("{} as '{}' in {}", id(r->entry.node), r->name, id(r->parent));
  }
  Rig rig;
  std::unique_ptr<Door> door;
  NodeId a{}, b{}, f{};
};

TEST_F(ResolveTest, Plain) {
  EXPECT_EQ(go(""), "root as '' in none");
  EXPECT_EQ(go("/"), "root as '' in none");
  EXPECT_EQ(go("a"), "a as 'a' in root");
  EXPECT_EQ(go("/a//./b/"), "b as 'b' in a");
  EXPECT_EQ(go("/a/b/f"), "f as 'f' in b");
  EXPECT_EQ(go("/a/b/.."), "a as 'a' in root");
  EXPECT_EQ(go("/a/b/../.."), "root as '' in none");
  EXPECT_EQ(go("/a/b/../b/f"), "f as 'f' in b");
  EXPECT_EQ(go("/a/b/f/"), "ENOTDIR");
  EXPECT_EQ(go("/a/b/f/x"), "ENOTDIR");
  EXPECT_EQ(go("/a/b/f/.."), "ENOTDIR");
  EXPECT_EQ(go("/no/such"), "ENOENT");
  EXPECT_EQ(go("/a/new"), "missing new in a");
  EXPECT_EQ(go("/a/new/"), "missing new in a");
  EXPECT_TRUE(door->resolve("/a/new/")->must_be_directory);
  EXPECT_EQ(go(std::string(256, 'n')), "ENAMETOOLONG");
  EXPECT_EQ(go(std::string(70000, '/')), "ENAMETOOLONG");
  EXPECT_EQ(go(std::string_view("a\0b", 3)), "EINVAL");
}

TEST_F(ResolveTest, NeverLeavesTheExport) {
  EXPECT_EQ(go("/../../a"), "a as 'a' in root");
  link(b, "up", "../../../../../a");
  EXPECT_EQ(go("/a/b/up/b"), "b as 'b' in a");
  link(b, "absolute", "/b/f");
  EXPECT_EQ(go("/a/b/absolute"), "ENOENT") << "there is no /b";
  // Within an export of /a the same link leads somewhere.
  EXPECT_EQ(go("b/absolute", {.root = a}), "f as 'f' in b");
  EXPECT_EQ(go("b/up", {.root = a}), "missing a in a");
  EXPECT_EQ(go("..", {.root = a}), "a as '' in none");
  EXPECT_EQ(go("b/../../..", {.root = a}), "a as '' in none");
  EXPECT_EQ(go("../b", {.root = a}), "b as 'b' in a");
}

TEST_F(ResolveTest, Symlinks) {
  link(kRoot, "l", "a/b");
  EXPECT_EQ(go("/l"), "b as 'b' in a");
  EXPECT_EQ(go("/l/f"), "f as 'f' in b");
  EXPECT_EQ(go("/l", {.follow_last = false}), "other as 'l' in root");
  EXPECT_EQ(go("/l/", {.follow_last = false}), "b as 'b' in a");
  link(kRoot, "dangling", "a/new");
  EXPECT_EQ(go("/dangling"), "missing new in a");
  EXPECT_EQ(go("/dangling/x"), "ENOENT");
  link(kRoot, "loop", "loop");
  EXPECT_EQ(go("/loop"), "ELOOP");
  for (int i = 0; i < 41; i++) link(kRoot, "c" + std::to_string(i), i ? "c" + std::to_string(i - 1) : "/a");
  EXPECT_EQ(go("/c39"), "a as 'a' in root");
  EXPECT_EQ(go("/c40"), "ELOOP");
  link(kRoot, "twice", "./twice2/twice2");
  EXPECT_EQ(go("/twice"), "ENOENT");
}

TEST_F(ResolveTest, SearchNeedsPermission) {
  Attr to;
  to.mode = 0700;
  ASSERT_TRUE(door->set(b, kSetMode, to));
  door->ctx = as_user(1000, 1000);
  EXPECT_EQ(go("/a/b"), "b as 'b' in a");
  EXPECT_EQ(go("/a/b/f"), "EACCES");
  EXPECT_EQ(go("/a/b/new"), "EACCES");
}

// Long paths over a provider that answers at once, and over one whose answers come from another thread.
TEST_F(ResolveTest, AnswersNowAndLater) {
  std::string path;
  for (int i = 0; i < 10000; i++) path += "a/../";
  EXPECT_EQ(go(path + "a"), "a as 'a' in root");

  rig.gate.told()->invalidate_all_names();
  rig.gate.hold(Op::Lookup, Gate::Hold::answer);
  std::atomic<bool> stop{false};
  std::thread later([&] {
    while (!stop) {
      if (rig.gate.held()) {
        rig.gate.let_go();
        rig.gate.hold(Op::Lookup, Gate::Hold::answer);
      }
      std::this_thread::yield();
    }
    rig.gate.let_go();
  });
  EXPECT_EQ(go("/a/b/f"), "f as 'f' in b");
  EXPECT_EQ(go("/a/b/missing"), "missing missing in b");
  stop = true;
  later.join();
}

}  // namespace
}  // namespace isthmus::volume::testing
