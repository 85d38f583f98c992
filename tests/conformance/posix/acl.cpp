// POSIX ACLs by the bytes of system.posix_acl_access and system.posix_acl_default (acl(5), linux/posix_acl_xattr.h).
#include "tests/conformance/folder.h"

#include <sys/xattr.h>
#include <algorithm>
#include <cstring>

namespace isthmus::conformance {
namespace {

enum Tag : std::uint16_t {
  kUserObj = 0x01,
  kUser = 0x02,
  kGroupObj = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20
};
constexpr std::uint32_t kNobody = 0xffffffff;
constexpr const char* kAccessName = "system.posix_acl_access";
constexpr const char* kDefaultName = "system.posix_acl_default";

struct Entry {
  std::uint16_t tag;
  std::uint16_t permissions;
  std::uint32_t id = kNobody;
  friend bool operator==(const Entry&, const Entry&) = default;
};
using Entries = std::vector<Entry>;

// Version 2, then the entries, all little-endian as this machine is.
std::string encoded(const Entries& entries) {
  std::string bytes("\x02\0\0\0", 4);
  for (const auto& entry : entries) {
    char raw[8];
    memcpy(raw, &entry.tag, 2);
    memcpy(raw + 2, &entry.permissions, 2);
    memcpy(raw + 4, &entry.id, 4);
    bytes.append(raw, 8);
  }
  return bytes;
}

int put(const char* path, const char* name, const Entries& entries) {
  const std::string bytes = encoded(entries);
  return setxattr(path, name, bytes.data(), bytes.size(), 0);
}

Entries get(const char* path, const char* name) {
  char bytes[1024];
  const ssize_t size = getxattr(path, name, bytes, sizeof bytes);
  Entries entries;
  if (size < 0) {
    EXPECT_EQ(error_name(errno), "ENODATA") << path;
    return entries;
  }
  for (ssize_t at = 4; at + 8 <= size; at += 8) {
    Entry entry{};
    memcpy(&entry.tag, bytes + at, 2);
    memcpy(&entry.permissions, bytes + at + 2, 2);
    memcpy(&entry.id, bytes + at + 4, 4);
    entries.push_back(entry);
  }
  return entries;
}

const Entries kForBob{{kUserObj, 6}, {kUser, 6, 10002}, {kGroupObj, 4}, {kMask, 6}, {kOther, 0}};

class Acl : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (IsSkipped()) return;
    REQUIRE_TRAIT(posix_acl);
    REQUIRE_TRAIT(owners);
    REQUIRE_TRAIT(other_users);
    write_file("file", "content");
    ASSERT_OK(chown("file", kAlice.uid, kAlice.gid));
    ASSERT_OK(chmod("file", 0640));
    ASSERT_OK(mkdir("dir", 0755));
  }
};

TEST_F(Acl, StoredAndRead) {
  EXPECT_TRUE(get("file", kAccessName).empty());
  ASSERT_OK(put("file", kAccessName, kForBob));
  EXPECT_EQ(get("file", kAccessName), kForBob);
  EXPECT_EQ(mode_of("file"), 0660u);  // the mask shows as the group's bits
  ASSERT_OK(removexattr("file", kAccessName));
  EXPECT_TRUE(get("file", kAccessName).empty());
  EXPECT_EQ(mode_of("file"), 0660u);
}

TEST_F(Acl, MinimalAclIsJustTheMode) {
  ASSERT_OK(put("file", kAccessName, {{kUserObj, 7}, {kGroupObj, 5}, {kOther, 1}}));
  EXPECT_EQ(mode_of("file"), 0751u);
  EXPECT_TRUE(get("file", kAccessName).empty());
}

TEST_F(Acl, ChmodChangesTheMask) {
  ASSERT_OK(put("file", kAccessName, kForBob));
  // Others get nothing either: Linux skips an ACL whose mask is empty (acl_permission_check).
  ASSERT_OK(chmod("file", 0600));
  EXPECT_EQ(get("file", kAccessName),
            (Entries{{kUserObj, 6}, {kUser, 6, 10002}, {kGroupObj, 4}, {kMask, 0}, {kOther, 0}}));
  as_user(kBob, [] { EXPECT_ERRNO(open("file", O_RDONLY), EACCES); });
  ASSERT_OK(chmod("file", 0640));
  as_user(kBob, [] {
    open_ok("file", O_RDONLY);
    EXPECT_ERRNO(open("file", O_WRONLY), EACCES);
  });
  EXPECT_EQ(mode_of("file"), 0640u);
}

TEST_F(Acl, NamedUserAndGroup) {
  ASSERT_OK(put("file", kAccessName,
                {{kUserObj, 6}, {kUser, 4, 10002}, {kGroupObj, 0}, {kGroup, 6, kTeam}, {kMask, 6}, {kOther, 0}}));
  as_user(kBob, [] {  // the user's own entry decides although a group of his may more
    open_ok("file", O_RDONLY);
    EXPECT_ERRNO(open("file", O_WRONLY), EACCES);
    EXPECT_OK(access("file", R_OK));
    EXPECT_ERRNO(access("file", W_OK), EACCES);
  });
  as_user(User{10009, 10009, {kTeam}}, [] { open_ok("file", O_RDWR); });
  as_user(kCarol, [] { EXPECT_ERRNO(open("file", O_RDONLY), EACCES); });
  ASSERT_OK(put("file", kAccessName, {{kUserObj, 0}, {kUser, 6, 10001}, {kGroupObj, 0}, {kMask, 6}, {kOther, 6}}));
  as_user(kAlice, [] { EXPECT_ERRNO(open("file", O_RDONLY), EACCES); });  // the owner's entry is the owner's
}

TEST_F(Acl, MaskLimitsNamedEntriesAndTheGroup) {
  ASSERT_OK(put("file", kAccessName, {{kUserObj, 6}, {kUser, 7, 10002}, {kGroupObj, 6}, {kMask, 4}, {kOther, 0}}));
  as_user(kBob, [] {
    open_ok("file", O_RDONLY);
    EXPECT_ERRNO(open("file", O_RDWR), EACCES);
  });
  as_user(User{10009, kAlice.gid, {}}, [] {
    open_ok("file", O_RDONLY);
    EXPECT_ERRNO(open("file", O_RDWR), EACCES);
  });
  as_user(kAlice, [] { open_ok("file", O_RDWR); });
}

TEST_F(Acl, DefaultIsInherited) {
  const Entries inherited{{kUserObj, 7}, {kUser, 7, 10002}, {kGroupObj, 5}, {kMask, 7}, {kOther, 0}};
  ASSERT_OK(put("dir", kDefaultName, inherited));
  EXPECT_EQ(get("dir", kDefaultName), inherited);
  EXPECT_EQ(mode_of("dir"), 0755u);
  umask(077);  // not used where there is a default ACL
  write_file("dir/file", "x", 0666);
  EXPECT_EQ(get("dir/file", kAccessName),
            (Entries{{kUserObj, 6}, {kUser, 7, 10002}, {kGroupObj, 5}, {kMask, 6}, {kOther, 0}}));
  EXPECT_EQ(mode_of("dir/file"), 0660u);
  EXPECT_TRUE(get("dir/file", kDefaultName).empty());
  ASSERT_OK(mkdir("dir/sub", 0777));
  EXPECT_EQ(get("dir/sub", kAccessName), inherited);
  EXPECT_EQ(get("dir/sub", kDefaultName), inherited);
  EXPECT_EQ(mode_of("dir/sub"), 0770u);
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("dir/fifo", 0600));
    EXPECT_EQ(mode_of("dir/fifo"), 0600u);
    EXPECT_EQ(get("dir/fifo", kAccessName),
              (Entries{{kUserObj, 6}, {kUser, 7, 10002}, {kGroupObj, 5}, {kMask, 0}, {kOther, 0}}));
  }
  if (options().traits.symlinks) {
    EXPECT_OK(symlink("x", "dir/link"));
  }
  as_user(kBob, [] { open_ok("dir/file", O_RDWR); });
  ASSERT_OK(removexattr("dir", kDefaultName));
  write_file("dir/plain", "x", 0666);
  EXPECT_EQ(mode_of("dir/plain"), 0600u);
  EXPECT_TRUE(get("dir/plain", kAccessName).empty());
}

TEST_F(Acl, MinimalDefault) {
  ASSERT_OK(put("dir", kDefaultName, {{kUserObj, 7}, {kGroupObj, 5}, {kOther, 4}}));
  umask(0);
  write_file("dir/file", "x", 0666);
  EXPECT_EQ(mode_of("dir/file"), 0644u);
  EXPECT_TRUE(get("dir/file", kAccessName).empty());
}

TEST_F(Acl, DirectoriesAreEnteredByAcl) {
  ASSERT_OK(chmod("dir", 0700));
  write_file("dir/inner", "x", 0644);
  as_user(kBob, [] { EXPECT_ERRNO(open("dir/inner", O_RDONLY), EACCES); });
  ASSERT_OK(put("dir", kAccessName, {{kUserObj, 7}, {kUser, 3, 10002}, {kGroupObj, 0}, {kMask, 3}, {kOther, 0}}));
  as_user(kBob, [] {
    open_ok("dir/inner", O_RDONLY);
    EXPECT_ERRNO(open("dir", O_RDONLY), EACCES);
    write_file("dir/made", "y");
    EXPECT_OK(unlink("dir/made"));
  });
  as_user(kCarol, [] { EXPECT_ERRNO(open("dir/inner", O_RDONLY), EACCES); });
}

TEST_F(Acl, WhoMaySet) {
  as_user(kBob, [] { EXPECT_ERRNO(put("file", kAccessName, kForBob), EPERM); });
  as_user(kAlice, [] { EXPECT_OK(put("file", kAccessName, kForBob)); });
  as_user(kBob, [] {
    EXPECT_ERRNO(removexattr("file", kAccessName), EPERM);
    EXPECT_EQ(get("file", kAccessName).size(), 5u);
  });
}

TEST_F(Acl, Errors) {
  EXPECT_ERRNO(put("file", kDefaultName, {{kUserObj, 7}, {kGroupObj, 5}, {kOther, 4}}),
               EACCES);  // files have no default
  EXPECT_ERRNO(put("file", kAccessName, {{kUserObj, 7}, {kGroupObj, 5}}), EINVAL);
  EXPECT_ERRNO(put("file", kAccessName, {{kUserObj, 6}, {kUser, 6, 10002}, {kGroupObj, 4}, {kOther, 0}}),
               EINVAL);  // no mask
  EXPECT_ERRNO(put("file", kAccessName, {{kUserObj, 6}, {kUserObj, 6}, {kGroupObj, 4}, {kOther, 0}}), EINVAL);
  EXPECT_ERRNO(put("file", kAccessName, {{kUserObj, 9}, {kGroupObj, 4}, {kOther, 0}}), EINVAL);
  EXPECT_ERRNO(setxattr("file", kAccessName, "\x02\0\0\0abc", 7, 0), EINVAL);
  EXPECT_ERRNO(setxattr("file", kAccessName, "\x01\0\0\0", 4, 0), EOPNOTSUPP, EINVAL);
  EXPECT_EQ(mode_of("file"), 0640u);
}

TEST_F(Acl, KeptByRenameAndListed) {
  ASSERT_OK(put("file", kAccessName, kForBob));
  ASSERT_OK(rename("file", "dir/moved"));
  EXPECT_EQ(get("dir/moved", kAccessName), kForBob);
  char names[256];
  const ssize_t size = listxattr("dir/moved", names, sizeof names);
  ASSERT_GT(size, 0);
  EXPECT_NE(std::string(names, static_cast<std::size_t>(size)).find(kAccessName), std::string::npos);
}

TEST_F(Acl, ManyEntries) {
  Entries entries{{kUserObj, 6}};
  for (std::uint32_t i = 0; i < 25; ++i) entries.push_back({kUser, 4, 30000 + i});
  entries.insert(entries.end(), {{kGroupObj, 0}, {kMask, 4}, {kOther, 0}});
  ASSERT_OK(put("file", kAccessName, entries));
  EXPECT_EQ(get("file", kAccessName), entries);
  as_user(User{30024, 30024, {}}, [] { open_ok("file", O_RDONLY); });
  as_user(User{30025, 30025, {}}, [] { EXPECT_ERRNO(open("file", O_RDONLY), EACCES); });
}

}  // namespace
}  // namespace isthmus::conformance
