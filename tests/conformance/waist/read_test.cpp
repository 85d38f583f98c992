// What every provider must do, also a read-only one.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "conformance/waist/waist.h"

namespace isthmus::conformance {
namespace {

using ::testing::ElementsAre;

class Reading : public ::testing::TestWithParam<Subject> {
 protected:
  Fixture f{GetParam()};
  NodeId dir{}, inner{};
  void SetUp() override {
    if (!GetParam().read_only)
      for (auto& s : kSampleTree) make(s.name, s.content);
    auto d = f.lookup(NodeId::root, "dir");
    ASSERT_TRUE(d);
    dir = d->node;
    auto i = f.lookup(dir, "inner");
    ASSERT_TRUE(i);
    inner = i->node;
  }
  void make(std::string name, std::string_view content) {
    NodeId at = NodeId::root;
    if (name.ends_with('/')) return void(f.mkdir(at, name.substr(0, name.size() - 1)));
    if (size_t slash = name.find('/'); slash != std::string::npos) {
      at = f.lookup(at, name.substr(0, slash))->node;
      name = name.substr(slash + 1);
    }
    auto c = f.create(at, name);
    ASSERT_TRUE(c) << name;
    ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, content));
    f.release(c->entry.node, c->opened.handle);
  }
  HandleId open(NodeId n) {
    auto o = f.call(op::Open{{}, n, O_RDONLY});
    EXPECT_TRUE(o);
    return o ? o->handle : HandleId::none;
  }
};

TEST_P(Reading, RootIsADirectory) {
  auto a = f.attr(NodeId::root);
  ASSERT_TRUE(a);
  EXPECT_TRUE(S_ISDIR(a->mode));
  EXPECT_NE(a->ino, 0u);
}

TEST_P(Reading, LookupAgreesWithGetattr) {
  auto e = f.lookup(NodeId::root, "hello");
  ASSERT_TRUE(e);
  auto a = f.attr(e->node);
  ASSERT_TRUE(a);
  EXPECT_EQ(a->ino, e->attr.ino);
  EXPECT_EQ(a->mode, e->attr.mode);
  EXPECT_EQ(a->size, 13u);
  EXPECT_TRUE(S_ISREG(a->mode));
  auto again = f.lookup(NodeId::root, "hello");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->node, e->node) << "one file is one node as long as somebody holds it";
}

TEST_P(Reading, MissingNames) {
  EXPECT_EQ(f.lookup(NodeId::root, "missing").code(), ENOENT);
  EXPECT_EQ(f.lookup(dir, "hello").code(), ENOENT);
  EXPECT_EQ(f.lookup(NodeId::root, std::string(256, 'x')).code(), ENAMETOOLONG);
  EXPECT_EQ(f.lookup(inner, "x").code(), ENOTDIR);
}

TEST_P(Reading, Dots) {
  auto self = f.lookup(dir, "."), up = f.lookup(dir, "..");
  ASSERT_TRUE(self);
  ASSERT_TRUE(up);
  EXPECT_EQ(self->node, dir);
  EXPECT_EQ(up->node, NodeId::root);
}

TEST_P(Reading, ReadsAnyRange) {
  NodeId n = f.lookup(NodeId::root, "hello")->node;
  HandleId h = open(n);
  EXPECT_EQ(*f.read(n, h, 0, 100), "hello, world\n");
  EXPECT_EQ(*f.read(n, h, 7, 5), "world");
  EXPECT_EQ(*f.read(n, h, 0, 5), "hello");
  EXPECT_EQ(*f.read(n, h, 13, 10), "");
  EXPECT_EQ(*f.read(n, h, 1'000'000, 10), "");
  EXPECT_EQ(*f.read(n, h, 3, 0), "");
  f.release(n, h);
  NodeId empty = f.lookup(NodeId::root, "empty")->node;
  h = open(empty);
  EXPECT_EQ(*f.read(empty, h, 0, 10), "");
  f.release(empty, h);
}

TEST_P(Reading, ListsOnceHoweverItIsCut) {
  for (size_t room : {size_t{1}, size_t{2}, size_t{100}}) {
    EXPECT_THAT(f.list(NodeId::root, room), ElementsAre("dir", "empty", "hello")) << room;
    EXPECT_THAT(f.list(dir, room), ElementsAre("inner")) << room;
  }
}

TEST_P(Reading, ListedAttributesAreCountedLookups) {
  if (!f.fs().traits().dir_attr) GTEST_SKIP() << GetParam().name << " does not list attributes";
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      if (e.with && e.with->node != NodeId::none) nodes.push_back(e.with->node);
      EXPECT_TRUE(!e.with || (e.with->attr.mode & S_IFMT)) << e.name;
      return true;
    }
    std::vector<NodeId> nodes;
  } sink;
  auto o = f.call(op::OpenDir{{}, NodeId::root, O_RDONLY});
  ASSERT_TRUE(o);
  op::ReadDir a;
  a.node = NodeId::root;
  a.handle = o->handle;
  a.with_attr = true;
  a.sink = &sink;
  ASSERT_TRUE(f.call(a));
  EXPECT_EQ(sink.nodes.size(), 3u);
  for (NodeId n : sink.nodes) {
    EXPECT_TRUE(f.attr(n));
    f.forget(n);
  }
  ASSERT_TRUE(f.call(op::ReleaseDir{{}, NodeId::root, o->handle}));
  EXPECT_TRUE(f.attr(inner)) << "what was looked up before is still held";
}

TEST_P(Reading, ForgottenNodesComeBack) {
  for (int i = 0; i < 3; i++) {
    auto e = f.lookup(NodeId::root, "hello");
    ASSERT_TRUE(e);
    EXPECT_TRUE(f.attr(e->node));
    f.forget(e->node);
  }
}

TEST_P(Reading, StatfsAndAccess) {
  auto s = f.call(op::Statfs{});
  ASSERT_TRUE(s);
  EXPECT_GE(s->name_max, GetParam().name_max);
  EXPECT_TRUE(f.call(op::Access{{}, inner, R_OK}));
  EXPECT_EQ(f.call(op::Access{{}, inner, W_OK}).code(), GetParam().read_only ? EROFS : 0);
}

TEST_P(Reading, ExportHandlesFindTheNodeAgain) {
  if (!GetParam().export_handles) GTEST_SKIP() << GetParam().name << " has no export handles";
  auto h = f.call(op::NodeToExport{{}, inner});
  ASSERT_TRUE(h);
  auto e = f.call(op::ExportToNode{{}, *h});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->node, inner);
  EXPECT_EQ(e->attr.ino, f.attr(inner)->ino);
  ExportHandle broken = *h;
  broken.size = 3;
  EXPECT_EQ(f.call(op::ExportToNode{{}, broken}).code(), ESTALE);
}

TEST_P(Reading, ReadlinkOfAFile) { EXPECT_EQ(f.call(op::Readlink{{}, inner}).code(), EINVAL); }

TEST_P(Reading, ManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; i++) {
        auto e = f.lookup(dir, "inner");
        if (!e || e->node != inner) {
          wrong++;
          continue;
        }
        auto o = f.call(op::Open{{}, inner, O_RDONLY});
        if (!o || *f.read(inner, o->handle, 0, 100) != "inside") wrong++;
        if (o) f.release(inner, o->handle);
        f.forget(inner);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Reading, ChangesOfAReadOnlyOne) {
  if (!GetParam().read_only) GTEST_SKIP() << GetParam().name << " is writable";
  EXPECT_EQ(f.mkdir(NodeId::root, "new").code(), EROFS);
  EXPECT_EQ(f.create(NodeId::root, "new").code(), EROFS);
  EXPECT_EQ(f.unlink(NodeId::root, "hello").code(), EROFS);
  EXPECT_EQ(f.rename(NodeId::root, "hello", NodeId::root, "x").code(), EROFS);
  EXPECT_EQ(f.symlink(NodeId::root, "new", "x").code(), EROFS);
  EXPECT_EQ(f.link(inner, NodeId::root, "new").code(), EROFS);
  EXPECT_EQ(f.write(inner, HandleId::none, 0, "x").code(), EROFS);
  EXPECT_EQ(f.call(op::Setattr{{}, inner}).code(), EROFS);
}

INSTANTIATE_TEST_SUITE_P(Waist, Reading, ::testing::ValuesIn(subjects()), [](auto& i) { return i.param.name; });

}  // namespace
}  // namespace isthmus::conformance
