#include "vfs/posix_acl.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "vfs/context.h"
#include "vfs/test_fs.h"

namespace isthmus {

using testing::who;

namespace {

using A = PosixAcl;

std::string bytes(const std::vector<A::Entry>& entries, uint32_t version = 2) {
  std::string s;
  auto put = [&](uint32_t v, int n) {
    for (int i = 0; i < n; i++) s.push_back(static_cast<char>((v >> (8 * i)) & 0xff));
  };
  put(version, 4);
  for (auto& e : entries) put(e.tag, 2), put(e.perm, 2), put(e.id, 4);
  return s;
}
A make(const std::vector<A::Entry>& entries) {
  auto a = A::parse(as_bytes(bytes(entries)));
  EXPECT_TRUE(a);
  return a ? *a : A{};
}
int code(const std::vector<A::Entry>& entries) { return A::parse(as_bytes(bytes(entries))).code(); }

const std::vector<A::Entry> kFull = {{A::kUserObj, 7},    {A::kUser, 6, 100}, {A::kGroupObj, 5},
                                     {A::kGroup, 7, 200}, {A::kMask, 5},      {A::kOther, 1}};

TEST(PosixAcl, RoundTrip) {
  std::string raw = bytes(kFull);
  auto a = A::parse(as_bytes(raw));
  ASSERT_TRUE(a);
  EXPECT_EQ(a->serialise(), raw);
  EXPECT_EQ(a->mode(), 0751u);
  EXPECT_FALSE(a->is_minimal());
  EXPECT_EQ(A::from_mode(0640).mode(), 0640u);
  EXPECT_TRUE(A::from_mode(0640).is_minimal());
  EXPECT_EQ(*A::parse(as_bytes(A::from_mode(0640).serialise())), A::from_mode(0640));
}

TEST(PosixAcl, RefusesBrokenOnes) {
  std::string raw = bytes(kFull);
  for (size_t n = 0; n < raw.size(); n++) {
    auto r = A::parse(as_bytes(raw).first(n));
    EXPECT_FALSE(r && !r->empty()) << n;
  }
  EXPECT_TRUE(A::parse(as_bytes(bytes({})))->empty());
  EXPECT_EQ(A::parse(as_bytes(bytes(kFull, 1))).code(), EOPNOTSUPP);
  EXPECT_EQ(code({{A::kUserObj, 7}, {A::kGroupObj, 7}}), EINVAL);
  EXPECT_EQ(code({{A::kUserObj, 7}, {A::kUserObj, 7}, {A::kGroupObj, 7}, {A::kOther, 7}}), EINVAL);
  EXPECT_EQ(code({{A::kGroupObj, 7}, {A::kUserObj, 7}, {A::kOther, 7}}), EINVAL);
  EXPECT_EQ(code({{A::kUserObj, 8}, {A::kGroupObj, 7}, {A::kOther, 7}}), EINVAL);
  EXPECT_EQ(code({{A::kUserObj, 7}, {A::kUser, 7, 5}, {A::kGroupObj, 7}, {A::kOther, 7}}), EINVAL);
  EXPECT_EQ(code({{A::kUserObj, 7}, {A::kUser, 7}, {A::kGroupObj, 7}, {A::kMask, 7}, {A::kOther, 7}}), EINVAL);
  EXPECT_EQ(code({{static_cast<A::Tag>(0x40), 7}, {A::kGroupObj, 7}, {A::kOther, 7}}), EINVAL);
  EXPECT_EQ(code({{A::kUserObj, 7}, {A::kGroupObj, 7}, {A::kMask, 7}, {A::kMask, 7}, {A::kOther, 7}}), EINVAL);
}

TEST(PosixAcl, ChmodMovesTheMask) {
  A a = make(kFull);
  a.chmod(0604);
  EXPECT_EQ(a.mode(), 0604u);
  EXPECT_EQ(a.entries()[2].perm, 5);
  EXPECT_EQ(a.entries()[4].perm, 0);
  A plain = A::from_mode(0777);
  plain.chmod(0123);
  EXPECT_EQ(plain.mode(), 0123u);
}

TEST(PosixAcl, Permits) {
  A a = make(kFull);
  constexpr uint32_t kUid = 1, kGid = 2;
  EXPECT_TRUE(a.permits(who(1, 9), kUid, kGid, 7));
  EXPECT_TRUE(a.permits(who(100, 9), kUid, kGid, 4));
  EXPECT_FALSE(a.permits(who(100, 9), kUid, kGid, 2));  // masked
  EXPECT_FALSE(a.permits(who(100, 2), kUid, kGid, 1));  // the user's entry decides, not the group's
  EXPECT_TRUE(a.permits(who(5, 2), kUid, kGid, 5));
  uint32_t groups[] = {3, 200};
  EXPECT_TRUE(a.permits(who(5, 9, groups), kUid, kGid, 4));
  EXPECT_FALSE(a.permits(who(5, 9, groups), kUid, kGid, 2));
  EXPECT_TRUE(a.permits(who(5, 9), kUid, kGid, 1));
  EXPECT_FALSE(a.permits(who(5, 9), kUid, kGid, 4));
  // A member of a group that gives too little does not fall to "other".
  A b = make({{A::kUserObj, 7}, {A::kGroupObj, 0}, {A::kOther, 7}});
  EXPECT_FALSE(b.permits(who(5, 2), kUid, kGid, 4));
  // One of two groups suffices.
  A c = make({{A::kUserObj, 7}, {A::kGroupObj, 1}, {A::kGroup, 6, 200}, {A::kMask, 7}, {A::kOther, 0}});
  EXPECT_TRUE(c.permits(who(5, 2, groups), kUid, kGid, 6));
  EXPECT_FALSE(c.permits(who(5, 2, groups), kUid, kGid, 7));  // but not half of each
}

TEST(PosixAcl, Inheritance) {
  A dflt = make(kFull);
  Inherited f = inherit_acl(dflt, S_IFREG | 0666);
  EXPECT_EQ(f.mode, S_IFREG | 0640u);
  ASSERT_TRUE(f.access);
  EXPECT_EQ(f.access->mode(), 0640u);
  EXPECT_EQ(f.access->entries()[1].perm, 6);
  EXPECT_FALSE(f.dflt);
  Inherited d = inherit_acl(dflt, S_IFDIR | 0777);
  EXPECT_EQ(d.mode, S_IFDIR | 0751u);
  ASSERT_TRUE(d.dflt);
  EXPECT_EQ(*d.dflt, dflt);
  Inherited plain = inherit_acl(A::from_mode(0750), S_IFREG | 04666);
  EXPECT_EQ(plain.mode, S_IFREG | 04640u);
  EXPECT_FALSE(plain.access);
}

}  // namespace
}  // namespace isthmus
