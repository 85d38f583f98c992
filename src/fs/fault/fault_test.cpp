#include "fs/fault/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "vfs/test_fs.h"

namespace isthmus::fs::fault {
namespace {

using isthmus::testing::FlatFs;
using ::testing::HasSubstr;

struct FaultTest : ::testing::Test {
  FlatFs* flat = nullptr;
  std::unique_ptr<Fault> fs;
  void rules(const std::string& text, uint64_t seed = 1) {
    Options o;
    std::string why;
    ASSERT_TRUE(parse_rules(text, o.rules, why)) << why;
    o.seed = seed;
    auto inner = std::make_unique<FlatFs>();
    flat = inner.get();
    flat->put("f", "0123456789");
    fs = std::make_unique<Fault>(std::move(inner), o);
  }
  int lookup(std::string_view name = "f") { return call_and_wait(*fs, op::Lookup{{}, NodeId::root, name}).code(); }
  Result<Buffer> read(size_t n) {
    op::Read r;
    r.node = NodeId{10};
    r.size = n;
    return call_and_wait(*fs, r);
  }
  Result<size_t> write(std::string_view s) {
    Buffer b = Buffer::view(as_bytes(s));
    op::Write w;
    w.node = NodeId{10};
    w.data = &b;
    return call_and_wait(*fs, w);
  }
};

TEST_F(FaultTest, FailsWithoutReachingTheFileSystem) {
  rules("lookup:ENOSPC");
  EXPECT_EQ(lookup(), ENOSPC);
  EXPECT_EQ(flat->open_lookups(), 0);
  EXPECT_EQ(fs->fired(0), 1u);
}

// A door may leave operations out that the inner file system can do without; a rule about one is there to be met.
TEST_F(FaultTest, NamedOperationsAreNotLeftOut) {
  auto traits = [&](const std::string& text) {
    rules(text);
    flat->given.inode_addressed = flat->given.flush_for_locks = true;
    return fs->traits();
  };
  for (auto text : {"*:EIO:p=0.1", "read:EIO", "lookup+write:EIO"}) {
    Traits t = traits(text);
    EXPECT_TRUE(t.inode_addressed && t.flush_for_locks && !t.locks_shared) << text;
  }
  for (auto text : {"open:EIO", "read+create:EIO", "*:EIO;release_dir:EIO"})
    EXPECT_FALSE(traits(text).inode_addressed) << text;
  EXPECT_FALSE(traits("flush:EIO").flush_for_locks);
  EXPECT_TRUE(traits("set_lock:delay=1ms").locks_shared);
}

TEST_F(FaultTest, AfterCountEvery) {
  rules("lookup:EIO:after=2:count=2:every=2");
  std::vector<int> got;
  for (int i = 0; i < 8; i++) got.push_back(lookup());
  EXPECT_THAT(got, ::testing::ElementsAre(0, 0, EIO, 0, EIO, 0, 0, 0));
}

TEST_F(FaultTest, ByName) {
  rules("*:EACCES:name=f*");
  EXPECT_EQ(lookup("f"), EACCES);
  EXPECT_EQ(lookup("g"), ENOENT);
  EXPECT_TRUE(read(1)) << "an operation without a name does not match a name";
}

TEST_F(FaultTest, ChanceIsSeeded) {
  std::vector<int> first, second;
  rules("lookup:EIO:p=0.5", 42);
  for (int i = 0; i < 64; i++) first.push_back(lookup());
  rules("lookup:EIO:p=0.5", 42);
  for (int i = 0; i < 64; i++) second.push_back(lookup());
  EXPECT_EQ(first, second);
  EXPECT_THAT(first, ::testing::Contains(EIO));
  EXPECT_THAT(first, ::testing::Contains(0));
}

TEST_F(FaultTest, ShortReadsAndWrites) {
  rules("read:short=3;write:short=50%");
  auto b = read(8);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->size(), 3u);
  auto n = write("abcdef");
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, 3u);
  EXPECT_EQ(flat->files[10].data, "abc3456789");
}

TEST_F(FaultTest, DelayEndsWhenCancelled) {
  rules("lookup:delay=1us");
  EXPECT_EQ(fs->blocking(), Blocking::may_block);
  EXPECT_EQ(lookup(), 0);
  rules("lookup:delay=1000s");
  Cancel cancel;
  Context ctx;
  ctx.cancel = &cancel;
  std::thread t([&] { EXPECT_TRUE(call_and_wait(*fs, op::Lookup{{}, NodeId::root, "f"}, ctx)); });
  cancel.request();
  t.join();
}

TEST_F(FaultTest, ForgetIsNeverLost) {
  rules("*:EIO:after=1");
  EXPECT_EQ(lookup(), 0);
  EXPECT_TRUE(call_and_wait(*fs, op::Forget{{}, NodeId{10}, 1}));
  EXPECT_EQ(flat->open_lookups(), 0);
}

TEST(FaultRules, Errors) {
  for (auto [text, part] : {std::pair("blink:EIO", "'blink'"),
                            {"read:EWHAT", "'EWHAT'"},
                            {"read:delay=5", "'delay=5'"},
                            {"read", "''"},
                            {"read:EIO:p=2", "'p=2'"},
                            {"read:EIO:every=0", "'every=0'"},
                            {"read:short=101%", "'short=101%'"},
                            {"read:EIO:sometimes", "'sometimes'"},
                            {"read:delay=99999999s", "'delay=99999999s'"}}) {
    std::vector<Rule> r;
    std::string why;
    EXPECT_FALSE(parse_rules(text, r, why)) << text;
    EXPECT_THAT(why, HasSubstr(part)) << text;
  }
  Options o;
  std::string why;
  std::pair<std::string, std::string> keys[] = {{"fault.seed", "x"}};
  EXPECT_FALSE(parse_options(keys, o, why));
}

}  // namespace
}  // namespace isthmus::fs::fault
