#include "fs/mem/test_mem.h"

namespace isthmus::fs::mem {
namespace {

using testing::ElementsAre;

TEST(MemNames, MakesEveryType) {
  Mem m;
  for (uint32_t type : {S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK}) {
    std::string name = "n" + std::to_string(type);
    auto e = m.mknod(kRoot, name, type | 0640, 0x0103);
    ASSERT_TRUE(e);
    EXPECT_EQ(e->attr.mode, type | 0640);
    EXPECT_EQ(e->attr.nlink, 1u);
    EXPECT_EQ(e->attr.rdev, type == S_IFCHR || type == S_IFBLK ? 0x0103u : 0u);
    EXPECT_EQ(m.lookup(kRoot, name)->node, e->node);
  }
  EXPECT_EQ(m.mknod(kRoot, "d", S_IFDIR | 0755).code(), EINVAL);
  auto d = m.mkdir(kRoot, "d");
  ASSERT_TRUE(d);
  EXPECT_EQ(d->attr.nlink, 2u);
  EXPECT_EQ(m.stat(kRoot).nlink, 3u);
  auto s = m.symlink(kRoot, "s", "some/where");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->attr.mode, S_IFLNK | 0777u);
  EXPECT_EQ(s->attr.size, 10u);
  EXPECT_EQ(*m.run(op::Readlink{{}, s->node}), "some/where");
  EXPECT_EQ(m.run(op::Readlink{{}, d->node}).code(), EINVAL);
}

TEST(MemNames, DotAndDotDot) {
  Mem m;
  auto d = m.mkdir(kRoot, "d");
  auto dd = m.mkdir(d->node, "dd");
  auto f = m.mknod(dd->node, "f");
  EXPECT_EQ(m.lookup(dd->node, "..")->node, d->node);
  EXPECT_EQ(m.lookup(dd->node, ".")->node, dd->node);
  EXPECT_EQ(m.lookup(kRoot, "..")->node, kRoot);
  EXPECT_EQ(m.lookup(f->node, ".")->node, f->node);
  EXPECT_EQ(m.lookup(f->node, "x").code(), ENOTDIR);
  // A node that the door forgot, and that still has a name, is found by its number.
  m.forget(dd->node, 2);
  EXPECT_EQ(m.lookup(dd->node, ".")->node, dd->node);
  EXPECT_EQ(m.lookup(NodeId{12345}, ".").code(), ESTALE);
}

TEST(MemNames, AbsentIsANegativeEntry) {
  Mem m;
  auto e = m.lookup(kRoot, "no");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->node, NodeId::none);
  EXPECT_EQ(e->entry_ttl, kForever);
}

TEST(MemNames, Errors) {
  Mem m;
  auto f = m.mknod(kRoot, "f");
  EXPECT_EQ(m.mkdir(kRoot, "f").code(), EEXIST);
  EXPECT_EQ(m.mknod(f->node, "x").code(), ENOTDIR);
  EXPECT_EQ(m.unlink(kRoot, "no"), ENOENT);
  EXPECT_EQ(m.rmdir(kRoot, "f"), ENOTDIR);
  std::string longest(255, 'x'), longer(256, 'x');
  EXPECT_TRUE(m.mknod(kRoot, longest));
  EXPECT_EQ(m.mknod(kRoot, longer).code(), ENAMETOOLONG);
  EXPECT_EQ(m.lookup(kRoot, longer).code(), ENAMETOOLONG);
  EXPECT_EQ(m.unlink(kRoot, longer), ENAMETOOLONG);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, longer), ENAMETOOLONG);
  EXPECT_EQ(m.symlink(kRoot, "s", std::string(4096, 'x')).code(), ENAMETOOLONG);
  EXPECT_TRUE(m.symlink(kRoot, "s", std::string(4095, 'x')));
  EXPECT_EQ(m.symlink(kRoot, "e", "").code(), ENOENT);
  auto d = m.mkdir(kRoot, "d");
  EXPECT_EQ(m.unlink(kRoot, "d"), EISDIR);
  EXPECT_TRUE(m.mknod(d->node, "x"));
  EXPECT_EQ(m.rmdir(kRoot, "d"), ENOTEMPTY);
  EXPECT_EQ(m.unlink(d->node, "x"), 0);
  EXPECT_EQ(m.rmdir(kRoot, "d"), 0);
  EXPECT_EQ(m.mknod(d->node, "x").code(), ENOENT);
  EXPECT_EQ(m.stat(d->node).nlink, 0u);
  EXPECT_EQ(m.stat(kRoot).nlink, 2u);
}

TEST(MemNames, LinksCountAndLimit) {
  MemOptions o;
  o.max_links = 3;
  Mem m(o);
  auto f = m.mknod(kRoot, "a");
  EXPECT_EQ(m.link(f->node, kRoot, "b")->attr.nlink, 2u);
  EXPECT_EQ(m.link(f->node, kRoot, "b").code(), EEXIST);
  EXPECT_EQ(m.link(f->node, kRoot, "c")->attr.nlink, 3u);
  EXPECT_EQ(m.link(f->node, kRoot, "d").code(), EMLINK);
  EXPECT_EQ(m.unlink(kRoot, "a"), 0);
  EXPECT_EQ(m.stat(f->node).nlink, 2u);
  EXPECT_TRUE(m.mkdir(kRoot, "d1"));
  EXPECT_EQ(m.mkdir(kRoot, "d2").code(), EMLINK);
  auto d = m.lookup(kRoot, "d1");
  EXPECT_EQ(m.link(d->node, kRoot, "d3").code(), EPERM);
}

TEST(MemNames, RenameReplacesByType) {
  Mem m;
  auto f = m.mknod(kRoot, "f"), g = m.mknod(kRoot, "g");
  auto d = m.mkdir(kRoot, "d"), e = m.mkdir(kRoot, "e");
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "d"), EISDIR);
  EXPECT_EQ(m.rename(kRoot, "d", kRoot, "f"), ENOTDIR);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "g"), 0);
  EXPECT_EQ(m.lookup(kRoot, "f")->node, NodeId::none);
  EXPECT_EQ(m.lookup(kRoot, "g")->node, f->node);
  EXPECT_EQ(m.stat(g->node).nlink, 0u);
  EXPECT_TRUE(m.mknod(e->node, "x"));
  EXPECT_EQ(m.rename(kRoot, "d", kRoot, "e"), ENOTEMPTY);
  EXPECT_EQ(m.rename(kRoot, "e", kRoot, "d"), 0);
  EXPECT_EQ(m.stat(kRoot).nlink, 3u);
  EXPECT_EQ(m.stat(d->node).nlink, 0u);
  EXPECT_EQ(m.rename(kRoot, "no", kRoot, "d"), ENOENT);
}

TEST(MemNames, RenameOfLinksToOneFileDoesNothing) {
  Mem m;
  auto f = m.mknod(kRoot, "a");
  EXPECT_TRUE(m.link(f->node, kRoot, "b"));
  EXPECT_EQ(m.rename(kRoot, "a", kRoot, "b"), 0);
  EXPECT_EQ(m.lookup(kRoot, "a")->node, f->node);
  EXPECT_EQ(m.rename(kRoot, "a", kRoot, "a"), 0);
  EXPECT_EQ(m.stat(f->node).nlink, 2u);
}

TEST(MemNames, RenameMovesDirectories) {
  Mem m;
  auto a = m.mkdir(kRoot, "a"), b = m.mkdir(kRoot, "b"), c = m.mkdir(a->node, "c");
  EXPECT_EQ(m.rename(kRoot, "a", c->node, "x"), EINVAL);
  EXPECT_EQ(m.rename(kRoot, "a", a->node, "x"), EINVAL);
  EXPECT_EQ(m.rename(a->node, "c", kRoot, "a"), ENOTEMPTY);
  EXPECT_EQ(m.rename(a->node, "c", b->node, "c"), 0);
  EXPECT_EQ(m.lookup(c->node, "..")->node, b->node);
  EXPECT_EQ(m.stat(a->node).nlink, 2u);
  EXPECT_EQ(m.stat(b->node).nlink, 3u);
}

TEST(MemNames, RenameFlags) {
  Mem m;
  auto f = m.mknod(kRoot, "f");
  auto d = m.mkdir(kRoot, "d"), sub = m.mkdir(d->node, "sub");
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "d", RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "no", RENAME_EXCHANGE), ENOENT);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "d", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "d", 1u << 10), EINVAL);
  EXPECT_EQ(m.rename(kRoot, "f", d->node, "sub", RENAME_EXCHANGE), 0);
  EXPECT_EQ(m.lookup(kRoot, "f")->node, sub->node);
  EXPECT_EQ(m.lookup(d->node, "sub")->node, f->node);
  EXPECT_EQ(m.lookup(sub->node, "..")->node, kRoot);
  EXPECT_EQ(m.stat(d->node).nlink, 2u);
  EXPECT_EQ(m.stat(kRoot).nlink, 4u);
  EXPECT_EQ(m.rename(kRoot, "d", d->node, "sub", RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(m.rename(d->node, "sub", kRoot, "g", RENAME_WHITEOUT), 0);
  EXPECT_EQ(m.lookup(kRoot, "g")->node, f->node);
  auto w = m.lookup(d->node, "sub");
  EXPECT_EQ(w->attr.mode & S_IFMT, static_cast<uint32_t>(S_IFCHR));
  EXPECT_EQ(w->attr.rdev, 0u);
}

TEST(MemNames, TimesOfChanges) {
  Mem m;
  auto d = m.mkdir(kRoot, "d");
  SetAttr old;
  old.mask = kSetAtime | kSetMtime;
  auto age = [&](NodeId n) { ASSERT_TRUE(m.set(n, old)); };
  auto f = m.mknod(d->node, "f");
  auto fresh = [&](NodeId n) { return m.stat(n).mtime.sec != 0; };
  EXPECT_TRUE(fresh(d->node));
  age(d->node);
  EXPECT_TRUE(m.link(f->node, d->node, "g"));
  EXPECT_TRUE(fresh(d->node));
  age(d->node);
  EXPECT_EQ(m.unlink(d->node, "g"), 0);
  EXPECT_TRUE(fresh(d->node));
  age(d->node);
  age(kRoot);
  EXPECT_EQ(m.rename(d->node, "f", kRoot, "f"), 0);
  EXPECT_TRUE(fresh(d->node));
  EXPECT_TRUE(fresh(kRoot));
}

TEST(MemNames, CreateOpensWhatExists) {
  Mem m;
  auto c = m.create(kRoot, "f", O_RDWR | O_EXCL);
  ASSERT_TRUE(c);
  EXPECT_EQ(m.create(kRoot, "f", O_RDWR | O_EXCL).code(), EEXIST);
  EXPECT_TRUE(m.write(c->entry.node, 0, "abc"));
  auto again = m.create(kRoot, "f", O_RDWR);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->entry.node, c->entry.node);
  EXPECT_EQ(again->entry.attr.size, 3u);
  EXPECT_EQ(m.create(kRoot, "f", O_RDWR | O_TRUNC)->entry.attr.size, 0u);
  EXPECT_TRUE(m.mkdir(kRoot, "d"));
  EXPECT_EQ(m.create(kRoot, "d").code(), EISDIR);
  EXPECT_TRUE(m.symlink(kRoot, "s", "f"));
  EXPECT_EQ(m.create(kRoot, "s").code(), ELOOP);
}

TEST(MemNames, UnlinkedFilesLiveWhileUsed) {
  Mem m;
  size_t before = m.fs.inodes();
  auto c = m.create(kRoot, "f");
  NodeId n = c->entry.node;
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
  m.forget(n);
  EXPECT_EQ(*m.write(n, 0, "still here"), 10u);
  EXPECT_EQ(*m.read(n, 0, 100), "still here");
  EXPECT_EQ(m.stat(n).nlink, 0u);
  EXPECT_TRUE(m.run(op::Release{{}, n, c->opened.handle, 0, 0, false, false}));
  EXPECT_EQ(m.fs.inodes(), before);
  EXPECT_EQ(m.fs.space().bytes(), 0u);
  EXPECT_EQ(m.fs.space().inodes(), before);
}

TEST(MemNames, ForgetNeverTakesNames) {
  Mem m;
  auto f = m.mknod(kRoot, "f");
  m.forget(f->node, 1000);
  EXPECT_EQ(m.lookup(kRoot, "f")->node, f->node);
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
  m.forget(f->node);
  EXPECT_EQ(m.fs.inodes(), 1u);
}

TEST(MemNames, RemovedDirectoriesKeepTheirParent) {
  Mem m;
  auto a = m.mkdir(kRoot, "a"), b = m.mkdir(a->node, "b");
  EXPECT_EQ(m.rmdir(a->node, "b"), 0);
  EXPECT_EQ(m.rmdir(kRoot, "a"), 0);
  m.forget(a->node);
  EXPECT_EQ(m.lookup(b->node, "..")->node, a->node);
  m.forget(a->node);
  m.forget(b->node);
  EXPECT_EQ(m.fs.inodes(), 1u);
}

TEST(MemNames, Tmpfile) {
  Mem m;
  auto t = m.run(op::Tmpfile{{}, kRoot, 0600, O_RDWR, {}});
  ASSERT_TRUE(t);
  EXPECT_EQ(t->entry.attr.nlink, 0u);
  NodeId n = t->entry.node;
  EXPECT_TRUE(m.write(n, 0, "x"));
  EXPECT_EQ(m.link(n, kRoot, "named")->attr.nlink, 1u);
  EXPECT_EQ(m.lookup(kRoot, "named")->node, n);
  EXPECT_EQ(m.unlink(kRoot, "named"), 0);
  EXPECT_EQ(m.link(n, kRoot, "again").code(), ENOENT);
  auto never = m.run(op::Tmpfile{{}, kRoot, 0600, O_RDWR | O_EXCL, {}});
  EXPECT_EQ(m.link(never->entry.node, kRoot, "never").code(), ENOENT);
}

TEST(MemNames, ExportHandles) {
  Mem m, other;
  auto f = m.mknod(kRoot, "f");
  auto h = m.run(op::NodeToExport{{}, f->node});
  ASSERT_TRUE(h);
  m.forget(f->node);
  auto e = m.run(op::ExportToNode{{}, *h});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->node, f->node);
  EXPECT_EQ(other.run(op::ExportToNode{{}, *h}).code(), ESTALE);
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
  m.forget(f->node);
  EXPECT_EQ(m.run(op::ExportToNode{{}, *h}).code(), ESTALE);
}

}  // namespace
}  // namespace isthmus::fs::mem
