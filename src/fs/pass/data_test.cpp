#include <sys/resource.h>

#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

class Data : public OnStores {};
INSTANTIATE_TEST_SUITE_P(Stores, Data, kStores, where_name);

TEST_P(Data, ReadWriteAppend) {
  auto c = f.make(kRoot, "a", 0644, O_RDWR | O_CREAT | O_APPEND);
  ASSERT_TRUE(c);
  auto n = c->entry.node;
  auto h = c->opened.handle;
  EXPECT_EQ(*f.write(n, h, 0, "hello world"), 11u);
  // Written in place although opened for appending: only op::Write says which it is.
  EXPECT_EQ(*f.write(n, h, 0, "J"), 1u);
  EXPECT_EQ(*f.write(n, h, 0, "!", true), 1u);
  EXPECT_EQ(*f.read(n, h, 0, 100), "Jello world!");
  EXPECT_EQ(*f.read(n, h, 6, 5), "world");
  EXPECT_EQ(*f.read(n, h, 12, 5), "");
  EXPECT_EQ(*f.read(n, HandleId::none, 0, 5), "Jello");
  EXPECT_EQ(*f.write(n, HandleId::none, 0, "C"), 1u);
  std::string big(200000, 'b');
  EXPECT_EQ(*f.write(n, h, 0, big), big.size());
  EXPECT_EQ(*f.read(n, h, 0, 300000), big);
}

TEST_P(Data, ListsOfBuffers) {
  auto c = f.make(kRoot, "a");
  std::string one = "one,", two = "two,", three = "three";
  Buffer b;
  for (auto* s : {&one, &two, &three}) b.append(Buffer::Owned{nullptr, as_bytes(*s)});
  op::Write w;
  w.node = c->entry.node;
  w.handle = c->opened.handle;
  w.data = &b;
  EXPECT_EQ(*f.run(w), 13u);
  EXPECT_EQ(*f.read(w.node, w.handle, 0, 99), "one,two,three");
}

TEST_P(Data, WriteOnlyHandleIsReadByPageCaches) {
  auto c = f.make(kRoot, "a");
  ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, "text"));
  auto o = f.open(c->entry.node, O_WRONLY);
  EXPECT_EQ(*f.read(c->entry.node, o->handle, 0, 9), "text");
}

TEST_P(Data, OpenTruncates) {
  auto c = f.make(kRoot, "a");
  ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, "text"));
  EXPECT_EQ(f.make(kRoot, "a", 0644, O_RDWR | O_CREAT | O_EXCL).code(), EEXIST);
  auto again = f.make(kRoot, "a", 0644, O_RDWR | O_CREAT | O_TRUNC);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->entry.node, c->entry.node);
  EXPECT_EQ(again->entry.attr.size, 0u);
}

TEST_P(Data, KeepsCacheOfUnchangedFiles) {
  PassOptions unheard = options();
  unheard.watch = Watching::off;
  f.begin(unheard);
  auto c = f.make(kRoot, "a");
  auto n = c->entry.node;
  ASSERT_TRUE(f.write(n, c->opened.handle, 0, "text"));
  f.close(n, c->opened.handle);
  auto o = f.open(n, O_RDONLY);
  EXPECT_TRUE(o->flags & kOpenedKeepCache);
  f.close(n, o->handle);
  int fd = ::open(f.path("a").c_str(), O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(fd, "!", 1), 1);
  ::close(fd);
  o = f.open(n, O_RDONLY);
  EXPECT_FALSE(o->flags & kOpenedKeepCache);
  f.close(n, o->handle);
  o = f.open(n, O_RDONLY);
  EXPECT_TRUE(o->flags & kOpenedKeepCache);
  EXPECT_TRUE(o->flags & kOpenedNoFlush);
  f.close(n, o->handle);
}

TEST_P(Data, SetattrAndKill) {
  auto c = f.make(kRoot, "a", 0755);
  auto n = c->entry.node;
  SetAttr s;
  s.mask = kSetMode | kSetSize | kSetMtime | kSetAtimeNow;
  s.to.mode = 06755;
  s.to.size = 1000;
  s.to.mtime = {1234, 567};
  auto r = f.set(n, s);
  ASSERT_TRUE(r) << r.code();
  EXPECT_EQ(r->attr.mode & 07777, 06755u);
  EXPECT_EQ(r->attr.size, 1000u);
  EXPECT_EQ(r->attr.mtime, (Time{1234, 567}));
  EXPECT_TRUE(r->attr.has_btime);
  ASSERT_TRUE(f.write(n, c->opened.handle, 0, "x", false, true));
  EXPECT_EQ(f.attr(n)->mode & 07777, 0755u);
  SetAttr back{.to = {}, .mask = kSetMode};
  back.to.mode = 06745;
  ASSERT_TRUE(f.set(n, back));
  SetAttr kill{.to = {}, .mask = kSetSize, .kill_suidgid = true};
  ASSERT_TRUE(f.set(n, kill));
  EXPECT_EQ(f.attr(n)->mode & 07777, 02745u);  // not group-executable: S_ISGID means mandatory locking
}

TEST_P(Data, FailedSetattrChangesNothing) {
  ISTHMUS_NEEDS_ROOT();
  auto d = f.mkdir(kRoot, "d", 0755);
  SetAttr s;
  s.mask = kSetUid | kSetMode | kSetSize;
  s.to.uid = 7;
  s.to.mode = 0700;
  EXPECT_EQ(f.set(d->node, s).code(), EISDIR);
  auto a = f.attr(d->node);
  EXPECT_EQ(a->uid, 0u);
  EXPECT_EQ(a->mode & 07777, 0755u);
}

TEST_P(Data, HolesAndRanges) {
  auto c = f.make(kRoot, "a");
  auto n = c->entry.node;
  auto h = c->opened.handle;
  op::Fallocate fa;
  fa.node = n;
  fa.handle = h;
  fa.length = 8192;
  ASSERT_TRUE(f.run(fa));
  EXPECT_EQ(f.attr(n)->size, 8192u);
  ASSERT_TRUE(f.write(n, h, 1 << 20, "data"));
  op::SeekHole sh;
  sh.node = n;
  sh.handle = h;
  sh.offset = 1 << 20;
  sh.whence = SEEK_HOLE;
  EXPECT_EQ(*f.run(sh), (1u << 20) + 4);
  sh.offset = 2 << 20;
  EXPECT_EQ(f.run(sh).code(), ENXIO);
  auto t = f.make(kRoot, "b");
  op::CopyRange cr;
  cr.from = n;
  cr.from_handle = h;
  cr.from_offset = 1 << 20;
  cr.to = t->entry.node;
  cr.to_handle = t->opened.handle;
  cr.length = 100;
  auto copied = f.run(cr);
  ASSERT_TRUE(copied) << copied.code();
  EXPECT_EQ(*copied, 4u);
  EXPECT_EQ(*f.read(t->entry.node, t->opened.handle, 0, 10), "data");
  EXPECT_TRUE(f.run(op::Fsync{{}, n, h, false}));
  EXPECT_TRUE(f.run(op::Fsync{{}, n, HandleId::none, true}));
  EXPECT_TRUE(f.run(op::FsyncDir{{}, kRoot, HandleId::none, false}));
  EXPECT_TRUE(f.run(op::Sync{}));
  EXPECT_TRUE(f.run(op::Statfs{{}, n}));
}

TEST_P(Data, Xattrs) {
  auto c = f.make(kRoot, "a");
  auto n = c->entry.node;
  op::SetXattr s;
  s.node = n;
  s.name = "user.k";
  std::string value(3000, 'v');
  s.value = as_bytes(value);
  auto r = f.run(s);
  if (!r && r.code() == EOPNOTSUPP) GTEST_SKIP() << "no user.* attributes on this store";
  ASSERT_TRUE(r) << r.code();
  s.flags = 1;  // XATTR_CREATE
  EXPECT_EQ(f.run(s).code(), EEXIST);
  EXPECT_EQ(*f.run(op::GetXattr{{}, n, "user.k"}), value);
  EXPECT_EQ(f.run(op::GetXattr{{}, n, "user.none"}).code(), ENODATA);
  auto l = f.run(op::ListXattr{{}, n});
  ASSERT_TRUE(l);
  EXPECT_EQ(l->size(), 1u);
  EXPECT_TRUE(f.run(op::RemoveXattr{{}, n, "user.k"}));
}

TEST_P(Data, DirectoriesAreReadOnce) {
  auto d = f.mkdir(kRoot, "d");
  const size_t files = on_disk() ? 500 : 3000;
  for (size_t i = 0; i < files; i++)
    ::close(::open(f.path("d/file" + std::to_string(i)).c_str(), O_CREAT | O_RDWR, 0644));
  auto o = f.run(op::OpenDir{{}, d->node, 0});
  ASSERT_TRUE(o);
  Names n;
  op::ReadDir r;
  r.node = d->node;
  r.handle = o->handle;
  r.sink = &n;
  r.with_attr = true;
  size_t before = 0;
  do {
    before = n.order.size();
    n.room = 7;
    r.cookie = n.last;
    ASSERT_TRUE(f.run(r));
  } while (n.order.size() > before);
  EXPECT_EQ(n.got.size(), files + 2u);
  EXPECT_EQ(n.doubled, 0u);
  EXPECT_EQ(f.fs->known_nodes(), files + 2u);
  for (auto& [name, item] : n.got)
    if (item.node != NodeId::none) f.forget(item.node);
  EXPECT_EQ(f.fs->known_nodes(), 2u);
  // Going back to a cookie, and rewinding.
  Names part;
  part.room = 5;
  r.sink = &part;
  r.with_attr = false;
  r.cookie = n.got[n.order[9]].cookie;
  ASSERT_TRUE(f.run(r));
  EXPECT_EQ(part.order.front(), n.order[10]);
  ::close(::open(f.path("d/new").c_str(), O_CREAT | O_RDWR, 0644));
  Names all;
  r.sink = &all;
  r.cookie = 0;
  ASSERT_TRUE(f.run(r));
  EXPECT_TRUE(all.got.contains("new"));
  EXPECT_EQ(all.got.size(), files + 3u);
}

TEST_P(Data, HandlesOfFilesAndDirectoriesDoNotMix) {
  auto d = f.mkdir(kRoot, "d");
  auto c = f.make(kRoot, "f");
  auto o = f.run(op::OpenDir{{}, d->node, 0});
  ASSERT_TRUE(d && c && o);
  EXPECT_EQ(f.attr(d->node, o->handle)->ino, d->attr.ino);
  EXPECT_EQ(f.attr(c->entry.node, c->opened.handle)->ino, c->entry.attr.ino);
  EXPECT_EQ(f.read(d->node, o->handle, 0, 10).code(), EBADF);
  EXPECT_TRUE(f.run(op::FsyncDir{{}, d->node, o->handle, false}));
  EXPECT_TRUE(f.run(op::ReleaseDir{{}, d->node, c->opened.handle}));  // not its own: nothing happens
  EXPECT_EQ(*f.write(c->entry.node, c->opened.handle, 0, "x"), 1u);
  EXPECT_TRUE(f.run(op::ReleaseDir{{}, d->node, o->handle}));
  Names n;
  op::ReadDir r;
  r.node = d->node;
  r.handle = o->handle;
  r.sink = &n;
  EXPECT_EQ(f.run(r).code(), EBADF);
  r.handle = HandleId::none;
  EXPECT_TRUE(f.run(r));
  EXPECT_EQ(n.got.size(), 2u);
}

TEST_P(Data, SetFlagsIoctl) {
  auto c = f.make(kRoot, "a");
  op::Ioctl i;
  i.node = c->entry.node;
  i.handle = c->opened.handle;
  i.command = 0x80086601;  // FS_IOC_GETFLAGS
  i.out_max = 8;
  auto r = f.run(i);
  ASSERT_TRUE(r || r.code() == ENOTTY || r.code() == EOPNOTSUPP) << r.code();
  i.command = 0x5401;  // TCGETS
  EXPECT_EQ(f.run(i).code(), ENOTTY);
}

}  // namespace isthmus::fs::pass::test
