#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

class PassNames : public OnStores {};
INSTANTIATE_TEST_SUITE_P(Stores, PassNames, kStores, where_name);

TEST_P(PassNames, LookupCountsAndForgets) {
  auto c = f.make(kRoot, "a");
  ASSERT_TRUE(c);
  auto e = f.look(kRoot, "a");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->node, c->entry.node);
  EXPECT_EQ(e->generation, c->entry.generation);
  EXPECT_EQ(f.fs->known_nodes(), 2u);
  f.close(e->node, c->opened.handle);
  f.forget(e->node, 1);
  EXPECT_EQ(f.fs->known_nodes(), 2u);
  f.forget(e->node, 1);
  EXPECT_EQ(f.fs->known_nodes(), 1u);
}

TEST_P(PassNames, MissingNamesAreNotCachedWhereOthersMakeFiles) {
  PassOptions o = options();
  o.watch = Watching::off;
  f.begin(o);
  EXPECT_EQ(f.run(op::Lookup{{}, kRoot, "none"}).code(), ENOENT);
}

TEST_P(PassNames, NamesThatAreNoNames) {
  EXPECT_EQ(f.look(kRoot, std::string(256, 'x')).code(), ENAMETOOLONG);
  EXPECT_EQ(f.look(kRoot, "a/b").code(), EINVAL);
  EXPECT_EQ(f.look(kRoot, std::string_view("a\0b", 3)).code(), EINVAL);
  EXPECT_EQ(f.mkdir(kRoot, "..").code(), EINVAL);
  EXPECT_EQ(f.unlink(kRoot, "..").code(), EINVAL);
  std::string longest(255, 'x'), odd("\xff\xfe\n\xc3");
  EXPECT_TRUE(f.mkdir(kRoot, longest));
  EXPECT_TRUE(f.mkdir(kRoot, odd));
  EXPECT_TRUE(f.look(kRoot, odd));
}

TEST_P(PassNames, DotDotStopsAtTheFolder) {
  auto d = f.mkdir(kRoot, "d");
  auto dd = f.mkdir(d->node, "dd");
  auto up = f.look(dd->node, "..");
  ASSERT_TRUE(up);
  EXPECT_EQ(up->node, d->node);
  EXPECT_EQ(f.look(d->node, "..")->node, kRoot);
  EXPECT_EQ(f.look(kRoot, "..")->node, kRoot);
  EXPECT_EQ(f.look(dd->node, ".")->node, dd->node);
  EXPECT_EQ(f.look(NodeId{12345}, ".").code(), ESTALE);
}

TEST_P(PassNames, DotDotOfWhatMovedAwayIsStale) {
  auto d = f.mkdir(kRoot, "d");
  auto dd = f.mkdir(d->node, "dd");
  std::string outside = f.dir + ".outside";
  ASSERT_EQ(::rename(f.path("d").c_str(), outside.c_str()), 0);
  EXPECT_EQ(f.look(d->node, "..").code(), ESTALE);
  EXPECT_EQ(f.look(dd->node, "..").code(), ESTALE);
  std::filesystem::remove_all(outside);
}

TEST_P(PassNames, UnlinkedFileLivesUntilForgotten) {
  auto c = f.make(kRoot, "a");
  ASSERT_TRUE(c);
  ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, "hello"));
  ASSERT_TRUE(f.unlink(kRoot, "a"));
  EXPECT_EQ(*f.read(c->entry.node, c->opened.handle, 0, 10), "hello");
  f.close(c->entry.node, c->opened.handle);
  auto a = f.attr(c->entry.node);
  ASSERT_TRUE(a) << a.code();
  EXPECT_EQ(a->nlink, 0u);
  EXPECT_EQ(a->size, 5u);
  // A new file of the name, perhaps of the same inode number, is another node.
  auto again = f.make(kRoot, "a");
  ASSERT_TRUE(again);
  EXPECT_NE(again->entry.node, c->entry.node);
  f.forget(c->entry.node);
  EXPECT_EQ(f.fs->known_nodes(), 2u);
}

TEST_P(PassNames, InodeNumberUsedAgain) {
  auto old = f.make(kRoot, "a");
  f.close(old->entry.node, old->opened.handle);
  ::unlink(f.path("a").c_str());
  ::usleep(20000);  // birth times tell files apart where there are no handles
  ::close(::open(f.path("a").c_str(), O_CREAT | O_RDWR, 0600));
  auto now = f.look(kRoot, "a");
  ASSERT_TRUE(now);
  EXPECT_NE(now->node, old->entry.node);
  EXPECT_EQ(f.attr(now->node)->mode & 0777, 0600u);
  EXPECT_EQ(f.attr(old->entry.node).code(), ESTALE);
}

TEST_P(PassNames, RenameMovesAndReplaces) {
  auto d = f.mkdir(kRoot, "d");
  auto a = f.make(kRoot, "a");
  auto b = f.make(d->node, "b");
  f.close(a->entry.node, a->opened.handle);
  f.close(b->entry.node, b->opened.handle);
  EXPECT_EQ(f.rename(kRoot, "a", d->node, "b", RENAME_NOREPLACE).code(), EEXIST);
  ASSERT_TRUE(f.rename(kRoot, "a", d->node, "b"));
  EXPECT_EQ(f.look(d->node, "b")->node, a->entry.node);
  EXPECT_EQ(f.attr(b->entry.node)->nlink, 0u);
  EXPECT_EQ(f.attr(a->entry.node)->nlink, 1u);
  // Directories found by name take their children along.
  ASSERT_TRUE(f.rename(kRoot, "d", kRoot, "e"));
  EXPECT_EQ(f.attr(a->entry.node)->nlink, 1u);
  auto c = f.mkdir(kRoot, "c");
  ASSERT_TRUE(f.rename(kRoot, "c", kRoot, "e", RENAME_EXCHANGE));
  EXPECT_EQ(f.look(kRoot, "c")->node, d->node);
  EXPECT_EQ(f.look(kRoot, "e")->node, c->node);
  ASSERT_TRUE(f.rename(kRoot, "c", kRoot, "c"));
  EXPECT_EQ(f.look(kRoot, "c")->node, d->node);
}

TEST_P(PassNames, HardLinks) {
  auto a = f.make(kRoot, "a");
  f.close(a->entry.node, a->opened.handle);
  auto l = f.run(op::Link{{}, a->entry.node, kRoot, "b"});
  ASSERT_TRUE(l) << l.code();
  EXPECT_EQ(l->node, a->entry.node);
  EXPECT_EQ(l->attr.nlink, 2u);
  ASSERT_TRUE(f.unlink(kRoot, "b"));
  EXPECT_EQ(f.attr(a->entry.node)->nlink, 1u);
  auto b = f.run(op::Link{{}, a->entry.node, kRoot, "b"});
  ASSERT_TRUE(b);
  ASSERT_TRUE(f.unlink(kRoot, "a"));
  EXPECT_EQ(f.look(kRoot, "b")->node, a->entry.node);
  f.forget(a->entry.node, 4);
  EXPECT_EQ(f.fs->known_nodes(), 1u);
  // Links of a symbolic link are of the link.
  op::Symlink s;
  s.dir = kRoot;
  s.name = "s";
  s.target = "nowhere";
  auto sl = f.run(s);
  ASSERT_TRUE(sl);
  EXPECT_EQ(*f.run(op::Readlink{{}, sl->node}), "nowhere");
  auto sl2 = f.run(op::Link{{}, sl->node, kRoot, "s2"});
  ASSERT_TRUE(sl2) << sl2.code();
  EXPECT_EQ(sl2->attr.nlink, 2u);
}

TEST_P(PassNames, Tmpfile) {
  op::Tmpfile t;
  t.dir = kRoot;
  t.mode = 0640;
  t.flags = O_RDWR;
  auto c = f.run(t);
  ASSERT_TRUE(c) << c.code();
  EXPECT_EQ(c->entry.attr.nlink, 0u);
  ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, "x"));
  auto l = f.run(op::Link{{}, c->entry.node, kRoot, "named"});
  ASSERT_TRUE(l) << l.code();
  EXPECT_EQ(l->node, c->entry.node);
  f.close(c->entry.node, c->opened.handle);
  EXPECT_EQ(f.look(kRoot, "named")->node, c->entry.node);
  EXPECT_EQ(f.attr(c->entry.node)->size, 1u);
}

TEST_P(PassNames, RemovedDirectoryIsEmptyAndGone) {
  auto d = f.mkdir(kRoot, "d");
  ASSERT_TRUE(f.rmdir(kRoot, "d"));
  EXPECT_EQ(f.make(d->node, "x").code(), ENOENT);
  EXPECT_TRUE(f.attr(d->node));
  auto o = f.run(op::OpenDir{{}, d->node, 0});
  ASSERT_TRUE(o) << o.code();
  Names n;
  op::ReadDir r;
  r.node = d->node;
  r.handle = o->handle;
  r.sink = &n;
  EXPECT_TRUE(f.run(r));
  EXPECT_TRUE(f.run(op::ReleaseDir{{}, d->node, o->handle}));
  auto again = f.mkdir(kRoot, "d");
  EXPECT_NE(again->node, d->node);
  f.forget(d->node);
}

TEST_P(PassNames, KindsOfNodes) {
  for (uint32_t type : {S_IFREG, S_IFIFO, S_IFSOCK}) {
    op::Mknod m;
    m.dir = kRoot;
    std::string name = "n" + std::to_string(type);
    m.name = name;
    m.mode = type | 0640;
    auto e = f.run(m);
    ASSERT_TRUE(e) << e.code();
    EXPECT_EQ(e->attr.mode, type | 0640u);
    auto o = f.open(e->node, O_RDONLY);
    if (type == S_IFREG)
      EXPECT_TRUE(o);
    else
      EXPECT_EQ(o.code(), ENXIO);  // and it does not block
    if (o) f.close(e->node, o->handle);
  }
}

TEST_P(PassNames, ReadOnly) {
  ASSERT_TRUE(f.make(kRoot, "a"));
  PassOptions o = options();
  o.read_only = true;
  f.begin(o);
  auto a = f.look(kRoot, "a");
  ASSERT_TRUE(a);
  EXPECT_EQ(f.open(a->node, O_RDWR).code(), EROFS);
  EXPECT_EQ(f.make(kRoot, "b").code(), EROFS);
  EXPECT_EQ(f.mkdir(kRoot, "b").code(), EROFS);
  EXPECT_EQ(f.unlink(kRoot, "a").code(), EROFS);
  EXPECT_EQ(f.rename(kRoot, "a", kRoot, "b").code(), EROFS);
  EXPECT_EQ(f.set(a->node, {.to = {}, .mask = kSetMode}).code(), EROFS);
  EXPECT_TRUE(f.open(a->node, O_RDONLY));
}

}  // namespace isthmus::fs::pass::test
