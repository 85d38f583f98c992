// What a writable provider must do besides.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <condition_variable>
#include <thread>

#include "conformance/waist/waist.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

namespace isthmus::conformance {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
constexpr NodeId kRoot = NodeId::root;

class Writing : public ::testing::TestWithParam<Subject> {
 protected:
  Fixture f{GetParam()};
  /// A file with content and an open handle.
  Created file(std::string_view name, std::string_view content = "") {
    auto c = f.create(kRoot, name);
    EXPECT_TRUE(c) << name;
    if (!c) return {};
    if (!content.empty()) {
      EXPECT_EQ(*f.write(c->entry.node, c->opened.handle, 0, content), content.size());
    }
    return *c;
  }
  void close(const Created& c) { f.release(c.entry.node, c.opened.handle); }
};

TEST_P(Writing, CreateIsExclusive) {
  auto c = file("a", "abc");
  EXPECT_EQ(f.create(kRoot, "a").code(), EEXIST);
  EXPECT_EQ(f.mkdir(kRoot, "a").code(), EEXIST);
  EXPECT_EQ(f.create(c.entry.node, "x").code(), ENOTDIR);
  const size_t longest = GetParam().name_max;
  EXPECT_EQ(f.create(kRoot, std::string(longest + 1, 'n')).code(), ENAMETOOLONG);
  EXPECT_TRUE(f.create(kRoot, std::string(longest, 'n')));
  EXPECT_EQ(c.entry.attr.mode, uint32_t{S_IFREG | 0644});
  close(c);
}

TEST_P(Writing, DataAndHoles) {
  auto c = file("a", "start");
  NodeId n = c.entry.node;
  HandleId h = c.opened.handle;
  ASSERT_TRUE(f.write(n, h, 100'000, "end"));
  EXPECT_EQ(f.attr(n)->size, 100'003u);
  EXPECT_EQ(*f.read(n, h, 3, 4), std::string("rt\0\0", 4));
  EXPECT_EQ(*f.read(n, h, 99'999, 10), std::string("\0end", 4));
  op::Setattr s{{}, n, h};
  s.set.mask = kSetSize;
  s.set.to.size = 2;
  ASSERT_TRUE(f.call(s));
  s.set.to.size = 10;
  ASSERT_TRUE(f.call(s));
  EXPECT_EQ(*f.read(n, h, 0, 20), std::string("st\0\0\0\0\0\0\0\0", 10)) << "what was cut off must not come back";
  close(c);
}

TEST_P(Writing, AppendIgnoresTheOffset) {
  auto c = file("a", "12345");
  Buffer b = Buffer::own("678");
  op::Write w;
  w.node = c.entry.node;
  w.handle = c.opened.handle;
  w.data = &b;
  w.append = true;
  ASSERT_TRUE(f.call(w));
  EXPECT_EQ(*f.read(c.entry.node, c.opened.handle, 0, 20), "12345678");
  close(c);
}

TEST_P(Writing, UnlinkedButOpen) {
  auto c = file("a", "kept");
  ASSERT_TRUE(f.unlink(kRoot, "a"));
  EXPECT_EQ(f.lookup(kRoot, "a").code(), ENOENT);
  EXPECT_EQ(f.attr(c.entry.node, c.opened.handle)->nlink, 0u);
  EXPECT_EQ(*f.read(c.entry.node, c.opened.handle, 0, 10), "kept");
  EXPECT_TRUE(f.write(c.entry.node, c.opened.handle, 4, " on"));
  EXPECT_EQ(*f.read(c.entry.node, c.opened.handle, 0, 10), "kept on");
  close(c);
  EXPECT_TRUE(f.attr(c.entry.node)) << "still looked up";
  f.forget(c.entry.node);
}

TEST_P(Writing, Directories) {
  auto d = f.mkdir(kRoot, "d");
  ASSERT_TRUE(d);
  EXPECT_TRUE(S_ISDIR(d->attr.mode));
  auto sub = f.mkdir(d->node, "sub");
  ASSERT_TRUE(sub);
  EXPECT_EQ(f.rmdir(kRoot, "d").code(), ENOTEMPTY);
  EXPECT_EQ(f.unlink(kRoot, "d").code(), EISDIR);
  EXPECT_EQ(f.rename(kRoot, "d", sub->node, "x").code(), EINVAL);
  ASSERT_TRUE(f.rmdir(d->node, "sub"));
  ASSERT_TRUE(f.rmdir(kRoot, "d"));
  EXPECT_EQ(f.rmdir(kRoot, "d").code(), ENOENT);
  close(file("plain"));
  EXPECT_EQ(f.rmdir(kRoot, "plain").code(), ENOTDIR);
}

TEST_P(Writing, RenameMovesAndReplaces) {
  auto a = file("a", "A"), b = file("b", "B");
  ASSERT_TRUE(f.rename(kRoot, "a", kRoot, "b"));
  EXPECT_EQ(f.lookup(kRoot, "a").code(), ENOENT);
  EXPECT_EQ(f.lookup(kRoot, "b")->node, a.entry.node);
  EXPECT_EQ(*f.read(b.entry.node, b.opened.handle, 0, 5), "B") << "replaced, but open";
  auto d = f.mkdir(kRoot, "d");
  ASSERT_TRUE(f.rename(kRoot, "b", d->node, "c"));
  EXPECT_EQ(f.lookup(d->node, "c")->node, a.entry.node);
  EXPECT_EQ(f.rename(kRoot, "missing", kRoot, "x").code(), ENOENT);
  EXPECT_EQ(f.rename(d->node, "c", kRoot, "d").code(), ENOTEMPTY) << "onto the directory that it is in";
  ASSERT_TRUE(f.mkdir(kRoot, "other"));
  EXPECT_EQ(f.rename(d->node, "c", kRoot, "other").code(), EISDIR);
  auto e = f.create(kRoot, "e");
  EXPECT_EQ(f.rename(d->node, "c", kRoot, "e", RENAME_NOREPLACE).code(), EEXIST);
  ASSERT_TRUE(f.rename(d->node, "c", kRoot, "e", RENAME_EXCHANGE));
  EXPECT_EQ(f.lookup(kRoot, "e")->node, a.entry.node);
  EXPECT_EQ(f.lookup(d->node, "c")->node, e->entry.node);
  EXPECT_EQ(f.rename(kRoot, "e", kRoot, "x", 1u << 30).code(), EINVAL);
  auto up = f.mkdir(d->node, "up");
  ASSERT_TRUE(f.rename(d->node, "up", kRoot, "up"));
  EXPECT_EQ(f.lookup(up->node, "..")->node, kRoot);
}

TEST_P(Writing, HardLinks) {
  if (!GetParam().hard_links) GTEST_SKIP() << GetParam().name << " has no hard links";
  auto a = file("a", "A");
  auto l = f.link(a.entry.node, kRoot, "b");
  ASSERT_TRUE(l);
  EXPECT_EQ(l->node, a.entry.node);
  EXPECT_EQ(l->attr.nlink, 2u);
  EXPECT_EQ(f.link(a.entry.node, kRoot, "b").code(), EEXIST);
  ASSERT_TRUE(f.unlink(kRoot, "a"));
  EXPECT_EQ(f.attr(a.entry.node)->nlink, 1u);
  EXPECT_EQ(*f.read(a.entry.node, a.opened.handle, 0, 5), "A");
}

TEST_P(Writing, Symlinks) {
  std::string target(4095, 't');
  auto s = f.symlink(kRoot, "s", target);
  ASSERT_TRUE(s);
  EXPECT_TRUE(S_ISLNK(s->attr.mode));
  EXPECT_EQ(s->attr.size, target.size());
  EXPECT_EQ(*f.call(op::Readlink{{}, s->node}), target);
}

TEST_P(Writing, SpecialFiles) {
  if (!GetParam().special_files) GTEST_SKIP() << GetParam().name << " has no special files";
  for (auto [name, type] : {std::pair("fifo", S_IFIFO), {"socket", S_IFSOCK}}) {
    auto e = f.mknod(kRoot, name, uint32_t{0600} | static_cast<uint32_t>(type));
    ASSERT_TRUE(e) << name;
    EXPECT_EQ(e->attr.mode & S_IFMT, static_cast<uint32_t>(type));
  }
}

TEST_P(Writing, Attributes) {
  auto c = file("a", "A");
  op::Setattr s{{}, c.entry.node, HandleId::none};
  s.set.mask = kSetMode | kSetAtime | kSetMtime;
  s.set.to.mode = 0751;
  s.set.to.atime = {1'000'000'000, 123'456'789};
  s.set.to.mtime = {-5, 1000};
  auto r = f.call(s);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->attr.mode & 07777, 0751u);
  auto a = f.attr(c.entry.node);
  EXPECT_EQ(a->atime, s.set.to.atime);
  EXPECT_EQ(a->mtime, s.set.to.mtime);
  s.set.mask = kSetMtimeNow;
  ASSERT_TRUE(f.call(s));
  EXPECT_GT(f.attr(c.entry.node)->mtime.sec, 1'700'000'000);
  close(c);
}

TEST_P(Writing, Xattrs) {
  if (!GetParam().xattrs) GTEST_SKIP() << GetParam().name << " has no extended attributes";
  auto c = file("a");
  NodeId n = c.entry.node;
  EXPECT_EQ(f.call(op::GetXattr{{}, n, "user.x"}).code(), ENODATA);
  ASSERT_TRUE(f.call(op::SetXattr{{}, n, "user.x", as_bytes("value")}));
  EXPECT_EQ(*f.call(op::GetXattr{{}, n, "user.x"}), "value");
  EXPECT_EQ(f.call(op::SetXattr{{}, n, "user.x", as_bytes("v"), XATTR_CREATE}).code(), EEXIST);
  EXPECT_EQ(f.call(op::SetXattr{{}, n, "user.y", as_bytes("v"), XATTR_REPLACE}).code(), ENODATA);
  EXPECT_THAT(*f.call(op::ListXattr{{}, n}), Contains("user.x"));
  ASSERT_TRUE(f.call(op::RemoveXattr{{}, n, "user.x"}));
  EXPECT_EQ(f.call(op::RemoveXattr{{}, n, "user.x"}).code(), ENODATA);
  close(c);
}

TEST_P(Writing, Locks) {
  if (!GetParam().locks) GTEST_SKIP() << GetParam().name << " leaves locks to doors";
  auto c = file("a");
  op::SetLock one{{}, c.entry.node, c.opened.handle};
  one.lock = {.owner = 1, .start = 0, .end = 9, .type = LockType::exclusive, .pid = 11};
  ASSERT_TRUE(f.call(one));
  op::SetLock two = one;
  two.lock.owner = 2;
  two.lock.start = 5;
  EXPECT_EQ(f.call(two).code(), EAGAIN);
  auto in_the_way = f.call(op::GetLock{{}, c.entry.node, c.opened.handle, two.lock});
  ASSERT_TRUE(in_the_way);
  EXPECT_EQ(in_the_way->type, LockType::exclusive);
  EXPECT_EQ(in_the_way->pid, 11u);

  struct Waiting final : Pending<op::SetLock> {
    std::mutex m;
    std::condition_variable cv;
    std::optional<Status> got;
    void answered(Status&& s) noexcept override {
      std::lock_guard lock(m);
      got = s;
      cv.notify_one();
    }
    int wait() {
      std::unique_lock lock(m);
      cv.wait(lock, [&] { return got.has_value(); });
      return got->code();
    }
  } granted, cancelled;
  Cancel cancel, never;
  for (auto* w : {&granted, &cancelled}) {
    w->args = two;
    w->args.wait = true;
    w->ctx.cancel = w == &cancelled ? &cancel : &never;
  }
  cancelled.args.lock.owner = 3;
  f.fs().submit(granted);
  f.fs().submit(cancelled);
  cancel.request();
  EXPECT_EQ(cancelled.wait(), EINTR);
  one.lock.type = LockType::unlock;
  ASSERT_TRUE(f.call(one));
  EXPECT_EQ(granted.wait(), 0);
  ASSERT_TRUE(f.call(op::Flush{{}, c.entry.node, c.opened.handle, 2}));
  one.lock.type = LockType::exclusive;
  EXPECT_TRUE(f.call(one)) << "flush drops the owner's locks";
  close(c);
}

TEST_P(Writing, CopyRange) {
  auto a = file("a", std::string(200'000, 'a') + "end"), b = file("b", "head");
  op::CopyRange c;
  c.from = a.entry.node;
  c.from_handle = a.opened.handle;
  c.from_offset = 199'999;
  c.to = b.entry.node;
  c.to_handle = b.opened.handle;
  c.to_offset = 4;
  c.length = 100;
  auto n = f.call(c);
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, 4u);
  EXPECT_EQ(*f.read(b.entry.node, b.opened.handle, 0, 100), "headaend");
}

TEST_P(Writing, FallocateAndHoles) {
  if (!GetParam().fallocate) GTEST_SKIP() << GetParam().name << " has no fallocate";
  auto a = file("a", std::string(65536, 'x'));
  op::Fallocate p{{}, a.entry.node, a.opened.handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192};
  ASSERT_TRUE(f.call(p));
  EXPECT_EQ(*f.read(a.entry.node, a.opened.handle, 4095, 3), std::string("x\0\0", 3));
  EXPECT_EQ(*f.call(op::SeekHole{{}, a.entry.node, a.opened.handle, 0, SEEK_HOLE}), 4096u);
  EXPECT_EQ(*f.call(op::SeekHole{{}, a.entry.node, a.opened.handle, 4096, SEEK_DATA}), 12288u);
  EXPECT_EQ(f.call(op::SeekHole{{}, a.entry.node, a.opened.handle, 65536, SEEK_DATA}).code(), ENXIO);
  EXPECT_EQ(f.attr(a.entry.node)->size, 65536u);
  close(a);
}

TEST_P(Writing, ListingWhileNamesComeAndGo) {
  for (int i = 0; i < 500; i++) close(file("f" + std::to_string(1000 + i)));
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      if (left == 0) return false;
      left--;
      cookie = e.cookie;
      seen.emplace_back(e.name);
      return true;
    }
    size_t left = 0;
    uint64_t cookie = 0;
    std::vector<std::string> seen;
  } sink;
  auto o = f.call(op::OpenDir{{}, kRoot, O_RDONLY});
  ASSERT_TRUE(o);
  for (int round = 0; sink.left == 0 && round < 1000; round++) {
    sink.left = 7;
    op::ReadDir a;
    a.node = kRoot;
    a.handle = o->handle;
    a.cookie = sink.cookie;
    a.sink = &sink;
    ASSERT_TRUE(f.call(a));
    if (round < 100) {
      close(file("new" + std::to_string(round)));
      ASSERT_TRUE(f.unlink(kRoot, "f" + std::to_string(1499 - round)));
    }
  }
  for (int i = 0; i < 400; i++)
    EXPECT_EQ(std::count(sink.seen.begin(), sink.seen.end(), "f" + std::to_string(1000 + i)), 1) << i;
}

TEST_P(Writing, ThreadsCreateRenameAndRemove) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; i++) {
        std::string name = std::to_string(t) + "." + std::to_string(i), to = "to" + name;
        auto c = f.create(kRoot, name);
        if (!c) {
          wrong++;
          continue;
        }
        if (!f.write(c->entry.node, c->opened.handle, 0, name)) wrong++;
        if (!f.rename(kRoot, name, kRoot, to)) wrong++;
        if (*f.read(c->entry.node, c->opened.handle, 0, 50) != name) wrong++;
        if (i % 2 && !f.unlink(kRoot, to)) wrong++;
        f.release(c->entry.node, c->opened.handle);
        f.forget(c->entry.node);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(f.list(kRoot).size(), 200u);
}

std::vector<Subject> writable() {
  std::vector<Subject> out;
  for (auto& s : subjects())
    if (!s.read_only) out.push_back(s);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Waist, Writing, ::testing::ValuesIn(writable()), [](auto& i) { return i.param.name; });

}  // namespace
}  // namespace isthmus::conformance
