#include <linux/falloc.h>
#include <linux/fs.h>
#include <unistd.h>

#include "fs/mem/test_mem.h"

namespace isthmus::fs::mem {
namespace {

constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

TEST(MemFiles, ReadsAndWrites) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  EXPECT_EQ(*m.write(f, 0, "hello"), 5u);
  EXPECT_EQ(*m.write(f, 10, "world"), 5u);
  EXPECT_EQ(*m.read(f, 0, 100), std::string("hello\0\0\0\0\0world", 15));
  EXPECT_EQ(*m.read(f, 12, 2), "rl");
  EXPECT_EQ(*m.read(f, 15, 10), "");
  EXPECT_EQ(*m.read(f, INT64_MAX, 10), "");
  EXPECT_EQ(m.read(f, UINT64_MAX, 10).code(), EINVAL);
  EXPECT_EQ(*m.write(f, 0, "!", true), 1u);
  EXPECT_EQ(*m.read(f, 15, 10), "!");
  EXPECT_EQ(*m.write(f, 100, ""), 0u);
  EXPECT_EQ(m.stat(f).size, 16u);
  EXPECT_EQ(m.read(kRoot, 0, 1).code(), EISDIR);
  EXPECT_EQ(m.write(m.symlink(kRoot, "s", "x")->node, 0, "x").code(), EINVAL);
}

TEST(MemFiles, FillsTheCallersMemory) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  ASSERT_TRUE(m.write(f, 0, "abcdef"));
  std::byte room[4];
  op::Read r;
  r.node = f;
  r.offset = 1;
  r.size = 100;
  r.into = room;
  auto b = m.run(r);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->size(), 4u);
  EXPECT_EQ(as_text(room), "bcde");
}

TEST(MemFiles, WritesFromPiecesAndFiles) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  Buffer b = Buffer::view(as_bytes("one "));
  b.append(Buffer::Owned{nullptr, as_bytes("two")});
  op::Write w;
  w.node = f;
  w.data = &b;
  EXPECT_EQ(*m.run(w), 7u);
  EXPECT_EQ(*m.read(f, 0, 9), "one two");
}

TEST(MemFiles, LargestSize) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  constexpr uint64_t kMax = INT64_MAX;
  EXPECT_EQ(m.write(f, kMax, "x").code(), EFBIG);
  EXPECT_EQ(*m.write(f, kMax - 2, "xyz"), 2u);
  EXPECT_EQ(m.stat(f).size, kMax);
  EXPECT_EQ(m.stat(f).blocks, 8u);
  EXPECT_EQ(m.truncate(f, kMax + 1), EFBIG);
  EXPECT_EQ(m.truncate(f, kMax), 0);
  EXPECT_EQ(m.truncate(f, 1), 0);
  EXPECT_EQ(m.stat(f).blocks, 0u);
}

TEST(MemFiles, TruncateShowsZeroesAgain) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  ASSERT_TRUE(m.write(f, 0, "abcdef"));
  EXPECT_EQ(m.truncate(f, 2), 0);
  EXPECT_EQ(m.truncate(f, 4), 0);
  EXPECT_EQ(*m.read(f, 0, 10), std::string("ab\0\0", 4));
  EXPECT_EQ(m.truncate(kRoot, 0), EISDIR);
}

TEST(MemFiles, OpenKinds) {
  Mem m;
  EXPECT_EQ(m.open(kRoot).code(), EISDIR);
  EXPECT_EQ(m.open(m.symlink(kRoot, "s", "x")->node).code(), ELOOP);
  EXPECT_EQ(m.open(m.mknod(kRoot, "p", S_IFIFO | 0644)->node).code(), ENXIO);
  NodeId f = m.mknod(kRoot, "f")->node;
  ASSERT_TRUE(m.write(f, 0, "abc"));
  auto o = m.open(f, O_RDONLY);
  ASSERT_TRUE(o);
  Buffer b = Buffer::view(as_bytes("x"));
  op::Write w;
  w.node = f;
  w.handle = o->handle;
  w.data = &b;
  EXPECT_EQ(m.run(w).code(), EBADF);
  w.handle = HandleId{999};
  EXPECT_EQ(m.run(w).code(), EBADF);
  EXPECT_TRUE(m.open(f, O_WRONLY | O_TRUNC));
  EXPECT_EQ(m.stat(f).size, 0u);
}

TEST(MemFiles, FallocateModes) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  EXPECT_EQ(m.fallocate(f, 0, 0, 0), EINVAL);
  EXPECT_EQ(m.fallocate(f, 0, INT64_MAX, 2), EFBIG);
  EXPECT_EQ(m.fallocate(f, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
  EXPECT_EQ(m.fallocate(f, 0x4000, 0, 1), EOPNOTSUPP);
  EXPECT_EQ(m.fallocate(kRoot, 0, 0, 1), EISDIR);
  EXPECT_EQ(m.fallocate(m.mknod(kRoot, "p", S_IFIFO)->node, 0, 0, 1), ENODEV);
  EXPECT_EQ(m.fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 3 * kPage), 0);
  EXPECT_EQ(m.stat(f).size, 0u);
  EXPECT_EQ(m.stat(f).blocks, 24u);
  EXPECT_EQ(m.fallocate(f, 0, 0, 100), 0);
  EXPECT_EQ(m.stat(f).size, 100u);
  ASSERT_TRUE(m.write(f, 0, std::string(3 * kPage, 'x')));
  EXPECT_EQ(m.fallocate(f, kPunch, kPage, kPage), 0);
  EXPECT_EQ(m.stat(f).blocks, 16u);
  EXPECT_EQ(*m.read(f, kPage - 1, 3), std::string("x\0\0", 3));
  EXPECT_EQ(m.fallocate(f, FALLOC_FL_ZERO_RANGE, 10, 4 * kPage), 0);
  EXPECT_EQ(m.stat(f).size, 4 * kPage + 10);
  EXPECT_EQ(*m.read(f, 9, 2), std::string("x\0", 2));
  EXPECT_EQ(m.stat(f).blocks, 40u);
}

TEST(MemFiles, FallocateShifts) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  ASSERT_TRUE(m.write(f, 0, std::string(kPage, 'a') + std::string(kPage, 'b') + std::string(10, 'c')));
  constexpr int kCollapse = FALLOC_FL_COLLAPSE_RANGE, kInsert = FALLOC_FL_INSERT_RANGE;
  EXPECT_EQ(m.fallocate(f, kCollapse, 1, kPage), EINVAL);
  EXPECT_EQ(m.fallocate(f, kCollapse | FALLOC_FL_KEEP_SIZE, 0, kPage), EINVAL);
  EXPECT_EQ(m.fallocate(f, kCollapse, 0, 3 * kPage), EINVAL);
  EXPECT_EQ(m.fallocate(f, kInsert, 3 * kPage, kPage), EINVAL);
  EXPECT_EQ(m.fallocate(f, kInsert, kPage, 2 * kPage), 0);
  EXPECT_EQ(m.stat(f).size, 4 * kPage + 10);
  EXPECT_EQ(m.stat(f).blocks, 24u);
  EXPECT_EQ(*m.read(f, 3 * kPage - 1, 2), std::string("\0b", 2));
  EXPECT_EQ(m.fallocate(f, kCollapse, 0, 3 * kPage), 0);
  EXPECT_EQ(*m.read(f, 0, 2 * kPage), std::string(kPage, 'b') + std::string(10, 'c'));
}

TEST(MemFiles, SeeksHoles) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  auto seek = [&](uint64_t at, int whence) { return m.run(op::SeekHole{{}, f, {}, at, whence}); };
  EXPECT_EQ(seek(0, SEEK_DATA).code(), ENXIO);
  ASSERT_TRUE(m.write(f, 2 * kPage, "data"));
  EXPECT_EQ(m.truncate(f, 5 * kPage), 0);
  EXPECT_EQ(*seek(0, SEEK_HOLE), 0u);
  EXPECT_EQ(*seek(0, SEEK_DATA), 2 * kPage);
  EXPECT_EQ(*seek(2 * kPage + 1, SEEK_DATA), 2 * kPage + 1);
  EXPECT_EQ(*seek(2 * kPage, SEEK_HOLE), 3 * kPage);
  EXPECT_EQ(seek(3 * kPage, SEEK_DATA).code(), ENXIO);
  EXPECT_EQ(seek(5 * kPage, SEEK_HOLE).code(), ENXIO);
  EXPECT_EQ(seek(0, 77).code(), EINVAL);
  ASSERT_TRUE(m.write(f, 4 * kPage, std::string(kPage, 'x')));
  EXPECT_EQ(*seek(4 * kPage + 5, SEEK_HOLE), 5 * kPage);
}

TEST(MemFiles, CopiesRanges) {
  Mem m;
  NodeId a = m.mknod(kRoot, "a")->node, b = m.mknod(kRoot, "b")->node;
  std::string data = std::string(kPage, 'a') + std::string(300000, 'b');
  ASSERT_TRUE(m.write(a, 8 * kPage, data));
  auto copy = [&](NodeId from, uint64_t x, NodeId to, uint64_t y, uint64_t n) {
    op::CopyRange c;
    c.from = from;
    c.from_offset = x;
    c.to = to;
    c.to_offset = y;
    c.length = n;
    return m.run(c);
  };
  uint64_t size = 8 * kPage + data.size();
  EXPECT_EQ(*copy(a, 0, b, 5, UINT64_MAX / 2), 0u + size);
  EXPECT_EQ(m.stat(b).size, size + 5);
  EXPECT_EQ(*m.read(b, 8 * kPage + 5, data.size()), data);
  EXPECT_EQ(*m.read(b, 0, 100), std::string(100, '\0'));
  EXPECT_LT(m.stat(b).blocks, m.stat(a).blocks + 16);
  EXPECT_EQ(*copy(a, size, b, 0, 10), 0u);
  EXPECT_EQ(copy(a, 0, a, 10, 100).code(), EINVAL);
  EXPECT_EQ(*copy(a, 8 * kPage, a, 0, 10), 10u);
  EXPECT_EQ(*m.read(a, 0, 11), std::string(10, 'a') + '\0');
  EXPECT_EQ(copy(a, 0, kRoot, 0, 1).code(), EISDIR);
}

TEST(MemFiles, SpaceAndQuota) {
  MemOptions o;
  o.limits = {8 * kPage, 4};
  o.quotas[1000] = {2 * kPage, 2};
  Mem m(o);
  NodeId f = m.mknod(kRoot, "f")->node;
  EXPECT_EQ(m.mknod(kRoot, "g").code(), 0);
  EXPECT_EQ(m.mknod(kRoot, "h").code(), 0);
  EXPECT_EQ(m.mknod(kRoot, "i").code(), ENOSPC);
  EXPECT_EQ(*m.write(f, 0, std::string(10 * kPage, 'x')), 8 * kPage);
  EXPECT_EQ(m.write(f, 8 * kPage, "x").code(), ENOSPC);
  EXPECT_EQ(m.fallocate(f, 0, 0, 9 * kPage), ENOSPC);
  auto s = m.run(op::Statfs{});
  EXPECT_EQ(s->blocks, 8u);
  EXPECT_EQ(s->blocks_free, 0u);
  EXPECT_EQ(s->files, 4u);
  EXPECT_EQ(s->files_free, 0u);
  EXPECT_EQ(m.chown(f, 1000, -1), EDQUOT);
  EXPECT_EQ(m.stat(f).uid, m.stat(kRoot).uid);
  EXPECT_EQ(m.truncate(f, kPage), 0);
  EXPECT_EQ(m.chown(f, 1000, -1), 0);
  EXPECT_EQ(*m.write(f, 0, std::string(3 * kPage, 'x')), 2 * kPage);
  EXPECT_EQ(m.write(f, 2 * kPage, "x").code(), EDQUOT);
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
  m.forget(f, 10);
  EXPECT_EQ(m.run(op::Statfs{})->blocks_free, 8u);
  m.ctx = as_user(1000, 1000);
  m.ctx.access_checked = true;
  EXPECT_TRUE(m.mknod(kRoot, "q1"));
}

TEST(MemFiles, WritesClearSetuid) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f", S_IFREG | 06777)->node;
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_EQ(m.stat(f).mode & 07777, 06777u);
  m.ctx = as_user(1000, 1000);
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_EQ(m.stat(f).mode & 07777, 0777u);
  m.ctx = {};
  EXPECT_EQ(m.chmod(f, 06767), 0);
  Buffer b = Buffer::view(as_bytes("x"));
  op::Write w;
  w.node = f;
  w.data = &b;
  w.kill_suidgid = true;
  ASSERT_TRUE(m.run(w));
  EXPECT_EQ(m.stat(f).mode & 07777, 02767u);
  EXPECT_EQ(m.chmod(f, 06755), 0);
  EXPECT_EQ(m.chown(f, 5, 5), 0);
  EXPECT_EQ(m.stat(f).mode & 07777, 0755u);
  EXPECT_EQ(m.chmod(f, 06755), 0);
  SetAttr s;
  s.mask = kSetSize;
  s.kill_suidgid = true;
  ASSERT_TRUE(m.set(f, s));
  EXPECT_EQ(m.stat(f).mode & 07777, 0755u);
}

TEST(MemFiles, Times) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  SetAttr old;
  old.mask = kSetAtime | kSetMtime;
  old.to.atime = {100, 999999999};
  old.to.mtime = {-5, 1};
  ASSERT_TRUE(m.set(f, old));
  EXPECT_EQ(m.stat(f).atime, (Time{100, 999999999}));
  EXPECT_EQ(m.stat(f).mtime, (Time{-5, 1}));
  EXPECT_GT(m.stat(f).ctime.sec, 1000000);
  // A write-back client keeps the times itself.
  m.ctx.client_times = true;
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_EQ(m.stat(f).mtime, (Time{-5, 1}));
  m.ctx.client_times = false;
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_GT(m.stat(f).mtime.sec, 1000000);
  // relatime: older than the last change, so set once.
  EXPECT_EQ(m.stat(f).atime.sec, 100);
  ASSERT_TRUE(m.read(f, 0, 1));
  EXPECT_GT(m.stat(f).atime.sec, 1000000);
  ASSERT_TRUE(m.set(f, old));
  op::Read r;
  r.node = f;
  r.size = 1;
  r.flags = O_NOATIME;
  ASSERT_TRUE(m.run(r));
  EXPECT_EQ(m.stat(f).atime.sec, 100);
  EXPECT_TRUE(m.stat(f).has_btime);
}

TEST(MemFiles, ImmutableAndAppendOnly) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  auto flags = [&](uint32_t v) {
    op::Ioctl i;
    i.node = f;
    i.command = static_cast<uint32_t>(FS_IOC_SETFLAGS);
    i.in = std::as_bytes(std::span(&v, 1));
    return m.run(i).code();
  };
  EXPECT_EQ(flags(FS_IMMUTABLE_FL), 0);
  EXPECT_EQ(m.write(f, 0, "x").code(), EPERM);
  EXPECT_EQ(m.open(f, O_WRONLY).code(), EPERM);
  EXPECT_EQ(m.chmod(f, 0), EPERM);
  EXPECT_EQ(m.unlink(kRoot, "f"), EPERM);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "g"), EPERM);
  EXPECT_EQ(m.link(f, kRoot, "g").code(), EPERM);
  EXPECT_EQ(m.set_xattr(f, "user.a", "x"), EPERM);
  EXPECT_EQ(flags(FS_APPEND_FL), 0);
  EXPECT_EQ(*m.write(f, 0, "x", true), 1u);
  EXPECT_EQ(m.write(f, 0, "x").code(), EPERM);
  EXPECT_EQ(m.truncate(f, 0), EPERM);
  EXPECT_EQ(flags(0x00000800), EOPNOTSUPP);
  op::Ioctl get;
  get.node = f;
  get.command = static_cast<uint32_t>(FS_IOC_GETFLAGS);
  get.out_max = 4;
  EXPECT_EQ(m.run(get)->out, std::string("\x20\0\0\0", 4));
  EXPECT_EQ(m.stat(f).flags, static_cast<uint32_t>(STATX_ATTR_APPEND));
  m.ctx = as_user(m.stat(f).uid + 1, 9);
  EXPECT_EQ(flags(0), EPERM);
  m.ctx = {};
  EXPECT_EQ(flags(0), 0);
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
}

}  // namespace
}  // namespace isthmus::fs::mem
