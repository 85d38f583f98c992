// Content: what is written is stored, and the old file is there until the new one is.
#include <linux/falloc.h>
#include <sys/xattr.h>

#include <thread>

#include "fs/compress/test_compress.h"

namespace isthmus::fs::compress {
namespace {

using ::testing::ElementsAre;

struct File {
  File(View& v, std::string_view name, uint32_t flags = O_RDWR) : view(v), node(v.node(name)) {
    auto o = v.open(node, flags);
    EXPECT_TRUE(o) << name;
    if (o) handle = o->handle;
  }
  explicit File(View& v, Created c) : view(v), node(c.entry.node), handle(c.opened.handle) {}
  Result<size_t> write(uint64_t at, std::string_view data) { return view.write(node, handle, at, data); }
  Result<std::string> read(uint64_t at, size_t n) { return view.read(node, handle, at, n); }
  int flush() { return view.flush(node, handle); }
  int close() { return view.close(node, handle); }
  View& view;
  NodeId node;
  HandleId handle{};
};

/// A tree that outlives the mirror.
struct Kept final : Decorator<Kept> {
  explicit Kept(FileSystem& f) : Decorator(f) {}
  template <class T>
  void around(Pending<T>& p) {
    inner().submit(p);
  }
};

Options small_frames() {
  Options o;
  o.frame = 4096;
  o.cache = 1 << 20;
  return o;
}

TEST(Compress, RoundTrip) {
  for (size_t size : {0, 1, 4095, 4096, 4097, 100'000, 5'000'000}) {
    Rig r(small_frames());
    const std::string content = pattern(size);
    ASSERT_EQ(r.shown->put("f", content), 0);
    EXPECT_EQ(r.unpacked("f.zst"), content) << size;
    EXPECT_EQ(*r.shown->get("f"), content) << size;
    EXPECT_EQ(r.shown->stat("f").size, size);
    EXPECT_THAT(r.stored->list(), ElementsAre("f.zst")) << "nothing is left beside it";
    if (size == 0) {
      EXPECT_EQ(r.shown->stat("f").blocks, 0u);
    }
  }
}

TEST(Compress, RandomChangesAsInAString) {
  Rig r(small_frames());
  ASSERT_EQ(r.shown->put("f", ""), 0);
  File f(*r.shown, "f");
  std::string is;
  unsigned random = 7;
  auto next = [&](unsigned n) { return (random = random * 1664525 + 1013904223) / 65536 % n; };
  for (int step = 0; step < 600; step++) {
    const size_t at = next(60'000), n = next(9000) + 1;
    switch (next(8)) {
      case 0:
        ASSERT_EQ(r.shown->truncate(f.node, at, f.handle), 0);
        is.resize(at);
        break;
      case 1: {
        op::Fallocate p{{}, f.node, f.handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n};
        ASSERT_TRUE(r.shown->run(p));
        for (size_t i = at; i < std::min(at + n, is.size()); i++) is[i] = 0;
        break;
      }
      case 2:
        ASSERT_EQ(f.flush(), 0);
        ASSERT_EQ(r.unpacked("f.zst"), is) << step;
        break;
      case 3:
      case 4:
        ASSERT_EQ(*f.read(at, n), at < is.size() ? is.substr(at, n) : "") << step;
        break;
      default: {
        const std::string data = pattern(n, static_cast<unsigned>(step));
        ASSERT_EQ(*f.write(at, data), n);
        is.resize(std::max(is.size(), at + n));
        is.replace(at, n, data);
      }
    }
    ASSERT_EQ(r.shown->stat(f.node).size, is.size()) << step;
  }
  EXPECT_EQ(f.close(), 0);
  EXPECT_EQ(*r.shown->get("f"), is);
  EXPECT_EQ(r.unpacked("f.zst"), is);
}

TEST(Compress, FramesThatNobodyWritesToAreTakenOver) {
  Rig r(small_frames());
  const std::string content = pattern(40'000);
  ASSERT_EQ(r.shown->put("f", content), 0);
  const std::string before = *r.stored->get("f.zst");
  File f(*r.shown, "f");
  ASSERT_TRUE(f.write(40'000, "the end"));
  EXPECT_EQ(f.close(), 0);
  const std::string after = *r.stored->get("f.zst");
  // Nine of ten frames were full.
  const auto same = std::mismatch(before.begin(), before.end(), after.begin(), after.end()).first - before.begin();
  EXPECT_GT(same, static_cast<ptrdiff_t>(before.size() * 8 / 10));
  EXPECT_EQ(r.unpacked("f.zst"), content + "the end");
}

TEST(Compress, HolesTakeNoRoom) {
  Rig r;
  ASSERT_EQ(r.shown->put("f", "begin"), 0);
  File f(*r.shown, "f");
  const uint64_t far = uint64_t{10} << 30;
  ASSERT_TRUE(f.write(far, "end"));
  EXPECT_EQ(f.close(), 0);
  EXPECT_EQ(r.shown->stat("f").size, far + 3);
  EXPECT_LT(r.stored->stat("f.zst").size, uint64_t{1} << 20);
  File again(*r.shown, "f", O_RDONLY);
  EXPECT_EQ(*again.read(far - 2, 10), std::string("\0\0end", 5));
  EXPECT_EQ(*again.read(far / 2, 3), std::string(3, '\0'));
  auto seek = [&](uint64_t at, int whence) {
    return r.shown->run(op::SeekHole{{}, again.node, again.handle, at, whence});
  };
  auto hole = seek(0, SEEK_HOLE);
  ASSERT_TRUE(hole);
  EXPECT_LE(*hole, uint64_t{1} << 20);
  auto data = seek(*hole, SEEK_DATA);
  ASSERT_TRUE(data);
  EXPECT_GT(*data, far - (uint64_t{32} << 20));
  EXPECT_EQ(seek(far + 3, SEEK_DATA).code(), ENXIO);
  EXPECT_EQ(*seek(far + 2, SEEK_HOLE), far + 3);
  again.close();
  EXPECT_EQ(r.shown->truncate(r.shown->node("f"), kMostPlain + 1), EFBIG);
}

TEST(Compress, SpaceCannotBePromised) {
  Rig r;
  ASSERT_EQ(r.shown->put("f", "0123456789"), 0);
  File f(*r.shown, "f");
  auto allocate = [&](int mode, uint64_t at, uint64_t n) {
    return r.shown->run(op::Fallocate{{}, f.node, f.handle, mode, at, n}).code();
  };
  EXPECT_EQ(allocate(0, 0, 100), EOPNOTSUPP);
  EXPECT_EQ(allocate(FALLOC_FL_KEEP_SIZE, 0, 100), EOPNOTSUPP);
  EXPECT_EQ(allocate(FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
  EXPECT_EQ(allocate(FALLOC_FL_ZERO_RANGE, 8, 4), 0);
  EXPECT_EQ(*f.read(0, 20), std::string("01234567\0\0\0\0", 12));
  EXPECT_EQ(allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 2, 400), 0);
  EXPECT_EQ(*f.read(0, 20), std::string("01\0\0\0\0\0\0\0\0\0\0", 12));
  f.close();
}

TEST(Compress, HandlesOfOneFileSeeOneContent) {
  Rig r;
  ASSERT_EQ(r.shown->put("f", "first"), 0);
  File one(*r.shown, "f"), two(*r.shown, "f");
  ASSERT_TRUE(one.write(0, "FIRST"));
  EXPECT_EQ(*two.read(0, 10), "FIRST");
  EXPECT_EQ(*r.stored->get("f.zst"), *r.stored->get("f.zst"));
  EXPECT_EQ(r.unpacked("f.zst"), "first") << "not stored yet";
  EXPECT_EQ(one.close(), 0);
  EXPECT_EQ(r.unpacked("f.zst"), "FIRST");
  ASSERT_TRUE(two.write(5, " and more"));
  EXPECT_EQ(*two.read(0, 20), "FIRST and more");
  EXPECT_EQ(two.close(), 0);
  EXPECT_EQ(r.unpacked("f.zst"), "FIRST and more");
}

TEST(Compress, NamesMayGoWhileItIsOpen) {
  Rig r;
  ASSERT_EQ(r.shown->put("f", pattern(10'000)), 0);
  File f(*r.shown, "f");
  ASSERT_TRUE(f.write(0, "changed"));
  EXPECT_EQ(r.shown->rename("f", "g"), 0);
  EXPECT_EQ(f.flush(), 0);
  EXPECT_EQ(r.unpacked("g.zst").substr(0, 7), "changed");
  EXPECT_FALSE(r.stored->has("f.zst"));
  EXPECT_EQ(r.shown->unlink("g"), 0);
  ASSERT_TRUE(f.write(10'000, pattern(30'000'000))) << "more than memory holds, and no name";
  EXPECT_EQ(r.shown->stat(f.node).nlink, 0u);
  EXPECT_EQ(*f.read(0, 7), "changed");
  EXPECT_EQ(*f.read(10'000, 100), pattern(100));
  EXPECT_EQ(f.close(), 0);
  EXPECT_THAT(r.stored->list(), ElementsAre());
}

TEST(Compress, WhatBelongsToTheFileIsKept) {
  Rig r;
  ASSERT_EQ(r.shown->put("f", "old"), 0);
  const NodeId n = r.shown->node("f");
  SetAttr s;
  s.mask = kSetMode | kSetUid | kSetGid;
  s.to.mode = 0751;
  s.to.uid = 12;
  s.to.gid = 34;
  ASSERT_EQ(r.shown->set(n, s), 0);
  ASSERT_TRUE(r.shown->run(op::SetXattr{{}, n, "user.x", as_bytes("value"), 0, false}));
  ASSERT_TRUE(r.shown->run(op::SetXattr{{}, n, "security.capability", as_bytes("cap"), 0, false}));
  const PosixAcl acl = *PosixAcl::of({{PosixAcl::kUserObj, 7},
                                      {PosixAcl::kUser, 6, 77},
                                      {PosixAcl::kGroupObj, 5},
                                      {PosixAcl::kMask, 7},
                                      {PosixAcl::kOther, 1}});
  ASSERT_TRUE(r.shown->run(op::SetAcl{{}, n, AclKind::posix_access, as_bytes(acl.serialise())}));
  const Attr before = r.shown->stat(n);
  const uint64_t below = r.stored->stat("f.zst").ino;
  File f(*r.shown, "f");
  ASSERT_TRUE(f.write(0, "new"));
  // A time that somebody sets after writing is the file's.
  SetAttr t;
  t.mask = kSetMtime | kSetAtime;
  t.to.mtime = {1'000'000'000, 5};
  t.to.atime = {1'100'000'000, 6};
  ASSERT_EQ(r.shown->set(n, t), 0);
  EXPECT_EQ(f.close(), 0);
  const Attr after = r.shown->stat(n), stored = r.stored->stat("f.zst");
  EXPECT_NE(stored.ino, below) << "it is another file below";
  EXPECT_EQ(after.ino, before.ino) << "and the same one here";
  for (const Attr& a : {after, stored}) {
    EXPECT_EQ(a.mode, before.mode);
    EXPECT_EQ(a.uid, 12u);
    EXPECT_EQ(a.gid, 34u);
    EXPECT_EQ(a.mtime, t.to.mtime);
    EXPECT_EQ(a.atime, t.to.atime);
  }
  EXPECT_EQ(*r.shown->run(op::GetXattr{{}, n, "user.x"}), "value");
  EXPECT_EQ(*r.shown->run(op::GetAcl{{}, n, AclKind::posix_access}), acl.serialise());
  EXPECT_EQ(r.shown->run(op::GetXattr{{}, n, "security.capability"}).code(), ENODATA) << "as writing takes it";
  EXPECT_EQ(r.unpacked("f.zst"), "new");
}

TEST(Compress, HardLinksStay) {
  Rig r;
  ASSERT_EQ(r.shown->put("a", pattern(50'000)), 0);
  ASSERT_EQ(r.shown->link("a", "b"), 0);
  EXPECT_EQ(r.shown->node("a"), r.shown->node("b"));
  File f(*r.shown, "a");
  ASSERT_TRUE(f.write(0, "both"));
  EXPECT_EQ(f.close(), 0);
  EXPECT_EQ(r.stored->stat("a.zst").ino, r.stored->stat("b.zst").ino);
  EXPECT_EQ(r.unpacked("b.zst").substr(0, 4), "both");
  EXPECT_EQ(r.shown->put("b", "short"), 0);
  EXPECT_EQ(*r.shown->get("a"), "short");
  EXPECT_EQ(r.unpacked("a.zst"), "short");
  EXPECT_EQ(r.shown->unlink("a"), 0);
  EXPECT_EQ(r.shown->put("b", "alone"), 0);
  EXPECT_EQ(r.unpacked("b.zst"), "alone");
  EXPECT_THAT(r.stored->list(), ElementsAre("b.zst"));
}

TEST(Compress, StoringInPlaceIsDoneAgainAfterAKill) {
  testing::LogCatcher logged;
  Rig r;
  const std::string old = pattern(300'000, 5), fresh = pattern(400'000, 9);
  ASSERT_EQ(r.stored->put("a.zst", packed(old)), 0);
  ASSERT_EQ(r.stored->link("a.zst", "b.zst"), 0);
  const std::string redo = redo_name(r.stored->stat("a.zst").ino);
  // Killed when half of it was copied.
  const std::string whole = packed(fresh),
                    half = whole.substr(0, whole.size() / 2) + packed(old).substr(whole.size() / 2);
  ASSERT_EQ(r.stored->put(redo, whole), 0);
  ASSERT_EQ(r.stored->put("a.zst", half), 0);
  EXPECT_THAT(r.shown->list(), ElementsAre("a", "b"));
  EXPECT_EQ(*r.shown->get("b"), fresh);
  EXPECT_EQ(r.unpacked("a.zst"), fresh);
  EXPECT_FALSE(r.stored->has(redo));
  EXPECT_TRUE(logged.has("that was done again"));
  // Killed before it began.
  ASSERT_EQ(r.stored->put(redo, packed(old)), 0);
  r.shown->forget(r.shown->node("a"));
  File f(*r.shown, "a", O_RDONLY);
  EXPECT_EQ(*f.read(0, 100), fresh.substr(0, 100));
  f.close();
  EXPECT_FALSE(r.stored->has(redo));
}

TEST(Compress, FilesOfOthers) {
  Rig r;
  const std::string content = pattern(20'000'000), two = packed(content.substr(0, 1'000'000)) + packed("tail");
  ASSERT_EQ(r.stored->put("one.zst", packed(content)), 0);
  ASSERT_EQ(r.stored->put("two.zst", two), 0);
  ASSERT_EQ(r.stored->put("none.zst", ""), 0);
  EXPECT_EQ(r.shown->stat("one").size, content.size());
  EXPECT_EQ(r.shown->stat("none").size, 0u);
  EXPECT_EQ(*r.shown->get("two"), content.substr(0, 1'000'000) + "tail");
  EXPECT_EQ(*r.shown->get("none"), "");
  {
    File f(*r.shown, "one");
    for (size_t at : {19'999'990u, 5u, 12'345'678u, 100u}) EXPECT_EQ(*f.read(at, 20), content.substr(at, 20)) << at;
    ASSERT_TRUE(f.write(10'000'000, "in the middle"));
    EXPECT_EQ(f.close(), 0);
  }
  std::string want = content;
  want.replace(10'000'000, 13, "in the middle");
  EXPECT_EQ(*r.shown->get("one"), want);
  EXPECT_EQ(r.unpacked("one.zst"), want);
  EXPECT_EQ(r.shown->truncate(r.shown->node("two"), 500'000), 0);
  EXPECT_EQ(r.unpacked("two.zst"), content.substr(0, 500'000));
}

TEST(Compress, DamagedFilesSaySo) {
  testing::LogCatcher logged;
  Rig r(small_frames());
  ASSERT_EQ(r.shown->put("f", pattern(20'000)), 0);
  ASSERT_EQ(r.stored->put("text.zst", "this is no frame"), 0);
  std::string bytes = *r.stored->get("f.zst");
  bytes[20] ^= 0x40;
  ASSERT_EQ(r.stored->put("f.zst", bytes), 0);
  File f(*r.shown, "f", O_RDONLY);
  EXPECT_EQ(f.read(0, 10).code(), EIO);
  EXPECT_EQ(f.read(0, 10).code(), EIO);
  EXPECT_EQ(*f.read(10'000, 10), pattern(20'000).substr(10'000, 10)) << "the other frames";
  f.close();
  EXPECT_EQ(logged.count("'f.zst': the frame at byte 0"), 1u) << "once";
  EXPECT_EQ(r.shown->get("text").code(), EIO);
  EXPECT_TRUE(logged.has("'text.zst' cannot be decoded: byte 0 begins no frame of zstd"));
  EXPECT_EQ(r.shown->stat("text").size, 0u);
  EXPECT_EQ(r.shown->put("text", "rewritten"), 0) << "it can be replaced";
  EXPECT_EQ(r.unpacked("text.zst"), "rewritten");
  EXPECT_EQ(r.shown->unlink("f"), 0);
}

TEST(Compress, AFullDiskKeepsTheOldFile) {
  mem::MemOptions memory;
  memory.limits = {1 << 20, 0};
  Rig r({}, memory);
  const std::string old = pattern(600'000);
  ASSERT_EQ(r.shown->put("f", old), 0);
  std::string noise;
  for (unsigned i = 0, x = 1; i < 3'000'000; i++) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  File f(*r.shown, "f");
  auto wrote = f.write(0, noise);
  const int closed = f.flush();
  EXPECT_TRUE(!wrote ? wrote.error() == err(ENOSPC) : closed == ENOSPC);
  EXPECT_EQ(r.unpacked("f.zst"), old);
  // Room again: the next try stores it.
  ASSERT_EQ(r.shown->truncate(f.node, 1000, f.handle), 0);
  EXPECT_EQ(f.close(), 0);
  EXPECT_EQ(r.unpacked("f.zst"), noise.substr(0, 1000));
  EXPECT_THAT(r.stored->list(), ElementsAre("f.zst"));
}

TEST(Compress, ErrorsOfEachStepKeepTheOldFile) {
  for (std::string_view rules :
       {"rename:EIO:after=1", "create:EDQUOT:after=1", "fsync:EIO:count=1", "write:ENOSPC:after=1"}) {
    testing::LogCatcher quiet;
    Rig r({}, {}, std::string(rules) + (rules.find("count") == std::string_view::npos ? ":count=1" : ""));
    ASSERT_EQ(r.shown->run(op::Mkdir{{}, kRoot, "d", 0755, {}}).code(), 0);
    ASSERT_EQ(r.shown->create("f").code(), 0) << rules;
    ASSERT_EQ(r.stored->put("f.zst", packed("old")), 0);
    File f(*r.shown, "f");
    ASSERT_TRUE(f.write(0, "newer"));
    EXPECT_NE(f.flush(), 0) << rules;
    EXPECT_EQ(r.unpacked("f.zst"), "old") << rules;
    EXPECT_EQ(f.flush(), 0) << rules << ": again";
    EXPECT_EQ(r.unpacked("f.zst"), "newer") << rules;
    f.close();
    EXPECT_THAT(r.stored->list(), ElementsAre("d", "f.zst")) << rules;
  }
}

TEST(Compress, ChangesFromBelow) {
  testing::LogCatcher logged;
  Rig r;
  ASSERT_EQ(r.shown->put("f", "mine"), 0);
  File reader(*r.shown, "f", O_RDONLY);
  EXPECT_EQ(*reader.read(0, 10), "mine");
  ASSERT_EQ(r.stored->put("f.zst", packed("theirs")), 0);
  EXPECT_EQ(r.shown->stat(reader.node).size, 6u);
  EXPECT_EQ(*reader.read(0, 10), "theirs");
  reader.close();
  // Both at once: what is below stays, and the writer hears of it.
  File writer(*r.shown, "f");
  ASSERT_TRUE(writer.write(0, "MINE"));
  ASSERT_EQ(r.stored->put("f.zst", packed("theirs again")), 0);
  EXPECT_EQ(writer.flush(), ESTALE);
  EXPECT_TRUE(logged.has("changed below"));
  EXPECT_EQ(r.unpacked("f.zst"), "theirs again");
  r.shown->release(writer.node, writer.handle);
}

TEST(Compress, WhatStaysOpenIsStoredAllTheSame) {
  Options o;
  o.write_after_ms = 20;
  Rig r(o);
  ASSERT_EQ(r.shown->put("f", "old"), 0);
  File f(*r.shown, "f");
  ASSERT_TRUE(f.write(0, "new"));
  for (int i = 0; i < 6000 && r.unpacked("f.zst") != "new"; i++)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(r.unpacked("f.zst"), "new");
  ASSERT_TRUE(f.write(3, "er"));
  EXPECT_EQ(*f.read(0, 10), "newer");
  f.close();
}

TEST(Compress, StoppingStores) {
  mem::MemOptions memory;
  Quiet up;
  auto mem = std::make_unique<mem::MemFs>(memory);
  // A file that is written to and never closed, and then the end of the server.
  {
    CompressFs fs(std::make_unique<Kept>(*mem), {});
    ASSERT_TRUE(fs.start(up));
    View v(fs);
    auto c = v.create("f");
    ASSERT_TRUE(c);
    ASSERT_TRUE(v.write(c->entry.node, c->opened.handle, 0, "kept"));
    fs.stop();
  }
  CompressFs fs(std::make_unique<Kept>(*mem), {});
  ASSERT_TRUE(fs.start(up));
  View v(fs);
  EXPECT_EQ(*v.get("f"), "kept");
  fs.stop();
}

TEST(Compress, ManyThreadsOneFile) {
  Options o = small_frames();
  o.write_after_ms = 5;
  Rig r(o);
  ASSERT_EQ(r.shown->put("f", std::string(200'000, '-')), 0);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      View v(r.shown->fs);
      const NodeId n = v.node("f");
      const std::string mine(1000, static_cast<char>('a' + t));
      for (int i = 0; i < 50; i++) {
        auto h = v.open(n);
        if (!h) {
          wrong++;
          continue;
        }
        const uint64_t at = t * 50'000 + static_cast<uint64_t>(i) * 1000;
        if (!v.write(n, h->handle, at, mine)) wrong++;
        auto back = v.read(n, h->handle, at, 1000);
        if (!back || *back != mine) wrong++;
        if (v.close(n, h->handle) != 0) wrong++;
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  std::string want;
  for (char c : {'a', 'b', 'c', 'd'}) want += std::string(50'000, c);
  EXPECT_EQ(r.unpacked("f.zst"), want);
}

}  // namespace
}  // namespace isthmus::fs::compress
