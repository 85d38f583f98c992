#include "vfs/permissions.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "vfs/test_fs.h"

namespace isthmus {

using testing::who;

namespace {

Guard file(uint32_t mode, uint32_t uid = 1, uint32_t gid = 2) { return {S_IFREG | mode, uid, gid, nullptr}; }
Guard dir(uint32_t mode, uint32_t uid = 1, uint32_t gid = 2) { return {S_IFDIR | mode, uid, gid, nullptr}; }

// Every mode, asked as owner, member and stranger.
TEST(Permissions, ModeBits) {
  uint32_t groups[] = {7, 2};
  for (uint32_t mode = 0; mode <= 0777; mode++)
    for (uint32_t want = 0; want <= 7; want++) {
      auto ok = [&](const Credentials& c) { return may_access(c, file(mode), want).ok(); };
      ASSERT_EQ(ok(who(1, 2)), ((mode >> 6) & want) == want);
      ASSERT_EQ(ok(who(5, 2)), ((mode >> 3) & want) == want);
      ASSERT_EQ(ok(who(5, 9, groups)), ((mode >> 3) & want) == want);
      ASSERT_EQ(ok(who(5, 9)), (mode & want) == want);
      ASSERT_EQ(ok(who(0, 0)), !(want & kWantExecute) || (mode & 0111));
      ASSERT_TRUE(may_access(who(0, 0), dir(mode), want));
      ASSERT_EQ(ok(Credentials{}), !(want & kWantExecute) || (mode & 0111));
    }
}

TEST(Permissions, AclsDecideOnlyBehindTheMask) {
  PosixAcl acl =
      *PosixAcl::parse(as_bytes(std::string_view("\2\0\0\0\1\0\7\0\xff\xff\xff\xff\2\0\6\0\5\0\0\0\4\0\0\0\xff\xff\xff"
                                                 "\xff\x10\0\7\0\xff\xff\xff\xff \0\0\0\xff\xff"
                                                 "\xff\xff",
                                                 44)));
  Guard g = file(0770);
  g.acl = &acl;
  EXPECT_TRUE(may_access(who(5, 9), g, kWantWrite));
  EXPECT_FALSE(may_access(who(6, 2), g, kWantRead));
  g.mode = S_IFREG | 0707;
  EXPECT_TRUE(may_access(who(5, 9), g, kWantWrite));  // by the bits of others: the mask is empty
}

TEST(Permissions, Sticky) {
  EXPECT_TRUE(may_remove(who(5, 9), dir(0777), 6));
  EXPECT_EQ(may_remove(who(5, 9), dir(01777), 6).code(), EPERM);
  EXPECT_TRUE(may_remove(who(5, 9), dir(01777), 5));
  EXPECT_TRUE(may_remove(who(1, 9), dir(01777), 6));
  EXPECT_TRUE(may_remove(who(0, 0), dir(01777), 6));
  EXPECT_EQ(may_remove(who(5, 9), dir(01775), 5).code(), EACCES);
  EXPECT_EQ(may_remove(who(5, 9), dir(0766), 5).code(), EACCES);
}

TEST(Permissions, OwnersRules) {
  EXPECT_TRUE(may_chmod(who(1, 9), file(0)));
  EXPECT_EQ(may_chmod(who(5, 2), file(0777)).code(), EPERM);
  uint32_t groups[] = {30};
  EXPECT_TRUE(may_chown(who(0, 0), file(0), 9, 9));
  EXPECT_EQ(may_chown(who(1, 2), file(0), 9, {}).code(), EPERM);
  EXPECT_TRUE(may_chown(who(1, 2), file(0), 1, {}));
  EXPECT_TRUE(may_chown(who(1, 9), file(0), {}, 2));
  EXPECT_TRUE(may_chown(who(1, 9, groups), file(0), {}, 30));
  EXPECT_EQ(may_chown(who(1, 9, groups), file(0), {}, 31).code(), EPERM);
  EXPECT_EQ(may_chown(who(5, 9, groups), file(0), {}, 30).code(), EPERM);
  EXPECT_TRUE(may_chown(who(5, 9), file(0), {}, {}));
}

TEST(Permissions, Times) {
  EXPECT_TRUE(may_set_times(who(1, 9), file(0), false));
  EXPECT_EQ(may_set_times(who(5, 9), file(0777), false).code(), EPERM);
  EXPECT_TRUE(may_set_times(who(5, 9), file(0002), true));
  EXPECT_EQ(may_set_times(who(5, 9), file(0004), true).code(), EACCES);
}

TEST(Permissions, XattrNames) {
  constexpr uint32_t kFile = S_IFREG, kDir = S_IFDIR, kLink = S_IFLNK, kFifo = S_IFIFO;
  EXPECT_TRUE(check_xattr_name(kFile, "user.a", true));
  EXPECT_TRUE(check_xattr_name(kDir, "user.a", true));
  EXPECT_EQ(check_xattr_name(kLink, "user.a", true).code(), EPERM);
  EXPECT_EQ(check_xattr_name(kFifo, "user.a", true).code(), EPERM);
  EXPECT_EQ(check_xattr_name(kFifo, "user.a", false).code(), ENODATA);
  EXPECT_TRUE(check_xattr_name(kLink, "trusted.a", true));
  EXPECT_EQ(check_xattr_name(kFile, "user.", true).code(), EINVAL);
  EXPECT_EQ(check_xattr_name(kFile, "system.other", true).code(), EOPNOTSUPP);
  EXPECT_EQ(check_xattr_name(kFile, "a", true).code(), EOPNOTSUPP);
  EXPECT_TRUE(check_xattr_name(kFile, kAccessAclName, true));
  EXPECT_EQ(check_xattr_name(kFile, kDefaultAclName, true).code(), EACCES);
  EXPECT_EQ(check_xattr_name(kLink, kAccessAclName, true).code(), EOPNOTSUPP);
}

TEST(Permissions, XattrNameSpaces) {
  EXPECT_TRUE(may_read_xattr(who(5, 9), file(0004), "user.a"));
  EXPECT_EQ(may_read_xattr(who(5, 9), file(0002), "user.a").code(), EACCES);
  EXPECT_EQ(may_read_xattr(who(1, 9), file(0777), "trusted.a").code(), ENODATA);
  EXPECT_TRUE(may_read_xattr(who(5, 9), file(0), "security.a"));
  EXPECT_TRUE(may_write_xattr(who(5, 9), file(0002), "user.a"));
  EXPECT_EQ(may_write_xattr(who(5, 9), file(0004), "user.a").code(), EACCES);
  EXPECT_EQ(may_write_xattr(who(5, 9), dir(01777), "user.a").code(), EPERM);
  EXPECT_EQ(may_write_xattr(who(1, 9), file(0777), "trusted.a").code(), EPERM);
  EXPECT_EQ(may_write_xattr(who(1, 9), file(0777), "security.a").code(), EPERM);
  EXPECT_TRUE(may_write_xattr(who(1, 9), file(0), kAccessAclName));
  EXPECT_EQ(may_write_xattr(who(5, 9), file(0777), kAccessAclName).code(), EPERM);
}

TEST(Permissions, SetIds) {
  EXPECT_EQ(without_suidgid(who(5, 2), S_IFREG | 06777, 2), S_IFREG | 0777u);
  EXPECT_EQ(without_suidgid(who(0, 0), S_IFREG | 06777, 2), S_IFREG | 0777u);
  EXPECT_EQ(without_suidgid(who(5, 2), S_IFREG | 06767, 2), S_IFREG | 02767u);
  EXPECT_EQ(without_suidgid(who(0, 0), S_IFREG | 06767, 2), S_IFREG | 02767u);
  EXPECT_EQ(without_suidgid(who(5, 9), S_IFREG | 06767, 2), S_IFREG | 0767u);
  EXPECT_EQ(strip_sgid(who(5, 9), 02755, 2), 0755u);
  EXPECT_EQ(strip_sgid(who(5, 2), 02755, 2), 02755u);
  EXPECT_EQ(strip_sgid(who(0, 0), 02755, 2), 02755u);
}

TEST(Permissions, GroupsOfAProcessAreLookedUp) {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, getgroups(0, nullptr))));
  if (getgroups(static_cast<int>(groups.size()), groups.data()) < 0) groups.clear();
  Credentials c = who(5, 4000000);
  c.pid = static_cast<uint32_t>(getpid());
  c.groups_known = false;
  for (gid_t g : groups) EXPECT_TRUE(in_group(c, g)) << g;
  EXPECT_FALSE(in_group(c, 4000001));
  EXPECT_TRUE(in_group(c, 4000000));
  c.groups_known = true;
  for (gid_t g : groups) EXPECT_FALSE(in_group(c, g)) << g;
}

}  // namespace
}  // namespace isthmus
