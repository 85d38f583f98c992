#include <tuple>

#include "fs/mem/test_mem.h"
#include "vfs/then.h"

namespace isthmus::fs::mem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(MemLocks, WaitAndGoWithTheirHandle) {
  Mem m;
  auto a = m.create(kRoot, "f"), b = m.create(kRoot, "f");
  NodeId f = a->entry.node;
  auto lock = [&](HandleId h, uint64_t owner, LockType type, bool wait = false) {
    op::SetLock s;
    s.node = f;
    s.handle = h;
    s.lock = {owner, 0, kLockEof, type, 7};
    s.wait = wait;
    return s;
  };
  EXPECT_TRUE(m.run(lock(a->opened.handle, 1, LockType::exclusive)));
  EXPECT_EQ(m.run(lock(b->opened.handle, 2, LockType::shared)).code(), EAGAIN);
  op::GetLock g;
  g.node = f;
  g.lock = {2, 5, 6, LockType::shared, 0};
  EXPECT_EQ(m.run(g)->pid, 7u);
  int answer = -1;
  call_then(m.fs, m.ctx, lock(b->opened.handle, 2, LockType::shared, true), [&](Status s) { answer = s.code(); });
  EXPECT_EQ(answer, -1);
  EXPECT_TRUE(m.run(op::Flush{{}, f, a->opened.handle, 99}));
  EXPECT_EQ(answer, -1);
  EXPECT_TRUE(m.run(op::Release{{}, f, a->opened.handle, 0, 0, false, false}));
  EXPECT_EQ(answer, 0);
  EXPECT_TRUE(m.run(op::Flush{{}, f, b->opened.handle, 2}));
  EXPECT_EQ(m.fs.locks().held(), 0u);
}

TEST(MemLocks, ReleaseGivesFlocksBack) {
  Mem m;
  auto a = m.create(kRoot, "f");
  op::SetLock s;
  s.node = a->entry.node;
  s.lock = {5, 0, kLockEof, LockType::exclusive, 7};
  s.whole_file = true;
  EXPECT_TRUE(m.run(s));
  EXPECT_EQ(m.fs.locks().held(), 1u);
  EXPECT_TRUE(m.run(op::Release{{}, a->entry.node, a->opened.handle, 0, 5, true, false}));
  EXPECT_EQ(m.fs.locks().held(), 0u);
}

struct News final : Upcalls {
  void changed(NodeId dir, std::string_view name, uint32_t what) override { told.emplace_back(dir, name, what); }
  std::vector<std::tuple<NodeId, std::string, uint32_t>> told;
  auto take() { return std::exchange(told, {}); }
};

TEST(MemWatches, TellWhatIsWanted) {
  Mem m;
  News news;
  ASSERT_TRUE(m.fs.start(news));
  NodeId d = m.mkdir(kRoot, "d")->node, sub = m.mkdir(d, "sub")->node;
  constexpr uint32_t kAll = 0x7f;
  auto w = m.run(op::Watch{{}, d, kAll & ~kWatchXattr, false});
  ASSERT_TRUE(w);
  NodeId f = m.mknod(d, "f")->node;
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(d, "f", kWatchCreated)));
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(d, "f", kWatchModified)));
  EXPECT_EQ(m.chmod(f, 0), 0);
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(d, "f", kWatchAttributes)));
  EXPECT_EQ(m.set_xattr(f, "user.a", ""), 0);
  EXPECT_THAT(news.take(), IsEmpty());
  EXPECT_EQ(m.rename(d, "f", sub, "g"), 0);
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(d, "f", kWatchRenamedFrom)));
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_THAT(news.take(), IsEmpty());
  EXPECT_EQ(m.rmdir(d, "sub"), ENOTEMPTY);
  EXPECT_EQ(m.unlink(sub, "g"), 0);
  EXPECT_EQ(m.rmdir(d, "sub"), 0);
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(d, "sub", kWatchRemoved)));
  ASSERT_TRUE(m.run(op::Unwatch{{}, *w}));
  EXPECT_EQ(m.run(op::Unwatch{{}, *w}).code(), EBADF);
  ASSERT_TRUE(m.mknod(d, "h"));
  EXPECT_THAT(news.take(), IsEmpty());
}

TEST(MemWatches, SubtreesAndFiles) {
  Mem m;
  News news;
  ASSERT_TRUE(m.fs.start(news));
  NodeId a = m.mkdir(kRoot, "a")->node, b = m.mkdir(a, "b")->node, other = m.mkdir(kRoot, "other")->node;
  auto w = m.run(op::Watch{{}, a, kWatchCreated | kWatchModified, true});
  ASSERT_TRUE(w);
  NodeId f = m.mknod(b, "f")->node;
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(b, "f", kWatchCreated)));
  ASSERT_TRUE(m.mknod(other, "f"));
  EXPECT_THAT(news.take(), IsEmpty());
  auto direct = m.run(op::Watch{{}, f, kWatchModified, false});
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(f, "", kWatchModified), std::tuple(b, "f", kWatchModified)));
  EXPECT_EQ(m.rename(a, "b", other, "b"), 0);
  ASSERT_TRUE(m.write(f, 0, "x"));
  EXPECT_THAT(news.take(), ElementsAre(std::tuple(f, "", kWatchModified)));
  // A watched file lives on until it is no longer watched.
  EXPECT_EQ(m.unlink(b, "f"), 0);
  m.forget(f);
  size_t before = m.fs.inodes();
  ASSERT_TRUE(m.run(op::Unwatch{{}, *direct}));
  EXPECT_EQ(m.fs.inodes(), before - 1);
}

TEST(MemOptions, Parse) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  std::string what;
  auto parse = [&](const Pairs& p) {
    what.clear();
    return parse_options(p, what);
  };
  auto o = parse({{"size", "64k"},
                  {"inodes", "10"},
                  {"mode", "1777"},
                  {"uid", "5"},
                  {"ttl", "forever"},
                  {"uquota", "7:1m:3"},
                  {"uquota", "8:4096"},
                  {"locks", "off"},
                  {"name", "x"}});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->limits.bytes, 65536u);
  EXPECT_EQ(o->limits.inodes, 10u);
  EXPECT_EQ(o->mode, 01777u);
  EXPECT_EQ(o->uid, 5u);
  EXPECT_EQ(o->quotas.at(7).bytes, 1u << 20);
  EXPECT_EQ(o->quotas.at(7).inodes, 3u);
  EXPECT_EQ(o->quotas.at(8).inodes, 0u);
  EXPECT_FALSE(o->locks);
  EXPECT_TRUE(parse({{"size", "50%"}}));
  EXPECT_EQ(parse({{"size", "0"}})->limits.bytes, 0u);
  for (auto& [key, value] : Pairs{{"size", "1x"},
                                  {"size", ""},
                                  {"size", "9999999999g"},
                                  {"size", "-1"},
                                  {"mode", "8"},
                                  {"uquota", "5"},
                                  {"uquota", ":"},
                                  {"atime", "yes"},
                                  {"links", "0"},
                                  {"name", ""},
                                  {"uid", "4294967295"},
                                  {"size", "k"},
                                  {"size", "101%"}}) {
    EXPECT_EQ(parse({{key, value}}).code(), EINVAL) << key << "=" << value;
    EXPECT_THAT(what, testing::HasSubstr(key));
    EXPECT_THAT(what, testing::HasSubstr("accepted: "));
  }
  EXPECT_EQ(parse({{"sise", "1"}}).code(), EINVAL);
  EXPECT_THAT(what, testing::HasSubstr("size, inodes"));
}

TEST(MemOptions, TakenAway) {
  MemOptions o;
  o.locks = o.handles = false;
  Mem m(o);
  for (Op op : {Op::SetLock, Op::Flush, Op::Open, Op::OpenDir, Op::Create})
    EXPECT_FALSE(m.fs.capabilities().has(op)) << name_of(op);
  auto t = m.run(op::Tmpfile{{}, kRoot, 0600, O_RDWR, {}});
  EXPECT_EQ(t->opened.handle, HandleId::none);
  EXPECT_TRUE(t->opened.flags & kOpenedNoFlush);
}

}  // namespace
}  // namespace isthmus::fs::mem
