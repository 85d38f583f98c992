// chmod(2), chown(2): values, who may, and what clears the set-id bits.
#include <sys/xattr.h>
#include "tests/conformance/folder.h"

namespace isthmus::conformance {
namespace {

class Chmod : public FolderTest {};

class Chown : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(owners);
  }
};

constexpr uid_t kSameUid = static_cast<uid_t>(-1);
constexpr gid_t kSameGid = static_cast<gid_t>(-1);

TEST_F(Chmod, EveryModeOfAFileAndADirectory) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  const Fd fd = open_ok("file", O_RDONLY);
  for (mode_t mode = 0; mode <= 07777; ++mode) {
    ASSERT_OK((mode & 1) != 0 ? chmod("file", mode) : fchmod(fd.get(), mode));
    ASSERT_EQ(mode_of("file"), mode);
    if (mode % 7 == 0) {
      ASSERT_OK(chmod("dir", mode));
      ASSERT_EQ(mode_of("dir"), mode);
    }
  }
  EXPECT_TRUE(S_ISREG(lstat_of("file").st_mode));
  EXPECT_EQ(stat_of(fd.get()).st_mode & 07777, 07777u);
}

TEST_F(Chmod, SpecialFiles) {
  REQUIRE_TRAIT(special_files);
  ASSERT_OK(mkfifo("fifo", 0644));
  ASSERT_OK(chmod("fifo", 0421));
  EXPECT_EQ(lstat_of("fifo").st_mode, S_IFIFO | 0421u);
}

TEST_F(Chmod, Errors) {
  write_file("file", "x");
  EXPECT_ERRNO(chmod("absent", 0644), ENOENT);
  EXPECT_ERRNO(chmod("file/x", 0644), ENOTDIR);
  EXPECT_ERRNO(chmod("", 0644), ENOENT);
}

TEST_F(Chmod, OnlyTheOwnerAndRoot) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  write_file("file", "x");
  ASSERT_OK(chown("file", kAlice.uid, kTeam));
  ASSERT_OK(chmod("file", 0666));
  as_user(kBob, [] { EXPECT_ERRNO(chmod("file", 0600), EPERM); });
  as_user(kAlice, [] { EXPECT_OK(chmod("file", 0640)); });
  EXPECT_EQ(mode_of("file"), 0640u);
}

TEST_F(Chmod, SetGroupIdNeedsMembership) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  write_file("file", "x");
  ASSERT_OK(chown("file", kAlice.uid, kTeam));
  as_user(kAlice, [] { ASSERT_OK(chmod("file", 02755)); });
  EXPECT_EQ(mode_of("file"), 02755u);  // a supplementary group will do
  ASSERT_OK(chown("file", kAlice.uid, kCarol.gid));
  as_user(kAlice, [] { ASSERT_OK(chmod("file", 02755)); });
  EXPECT_EQ(mode_of("file"), 0755u);
  as_user(kAlice, [] { ASSERT_OK(chmod("file", 06711)); });
  EXPECT_EQ(mode_of("file"), 04711u);
}

TEST_F(Chown, ValuesAndTheirAbsence) {
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(chown("file", 12, 34));
  EXPECT_EQ(lstat_of("file").st_uid, 12u);
  EXPECT_EQ(lstat_of("file").st_gid, 34u);
  ASSERT_OK(chown("file", kSameUid, 56));
  EXPECT_EQ(lstat_of("file").st_uid, 12u);
  EXPECT_EQ(lstat_of("file").st_gid, 56u);
  ASSERT_OK(chown("file", 78, kSameGid));
  EXPECT_EQ(lstat_of("file").st_uid, 78u);
  EXPECT_EQ(lstat_of("file").st_gid, 56u);
  ASSERT_OK(chown("file", kSameUid, kSameGid));
  EXPECT_EQ(lstat_of("file").st_uid, 78u);
  ASSERT_OK(chown("dir", 4'000'000'000U, 4'294'967'294U));
  EXPECT_EQ(lstat_of("dir").st_uid, 4'000'000'000U);
  EXPECT_EQ(lstat_of("dir").st_gid, 4'294'967'294U);
  const Fd fd = open_ok("file", O_RDONLY);
  ASSERT_OK(fchown(fd.get(), 1, 2));
  EXPECT_EQ(lstat_of("file").st_uid, 1u);
  EXPECT_ERRNO(chown("absent", 1, 1), ENOENT);
  EXPECT_ERRNO(chown("file/x", 1, 1), ENOTDIR);
}

TEST_F(Chown, WhoMay) {
  REQUIRE_TRAIT(other_users);
  write_file("file", "x");
  ASSERT_OK(chown("file", kAlice.uid, kAlice.gid));
  as_user(kAlice, [] {
    EXPECT_OK(chown("file", kSameUid, kTeam));
    EXPECT_OK(chown("file", kAlice.uid, kAlice.gid));
    EXPECT_ERRNO(chown("file", kBob.uid, kSameGid), EPERM);
    EXPECT_ERRNO(chown("file", kSameUid, kBob.gid), EPERM);
    EXPECT_ERRNO(chown("file", 0, kSameGid), EPERM);
    EXPECT_OK(chown("file", kSameUid, kSameGid));
  });
  as_user(kBob, [] {
    EXPECT_ERRNO(chown("file", kBob.uid, kSameGid), EPERM);
    EXPECT_ERRNO(chown("file", kSameUid, kTeam), EPERM);
  });
  EXPECT_EQ(lstat_of("file").st_uid, kAlice.uid);
  EXPECT_EQ(lstat_of("file").st_gid, kAlice.gid);
}

TEST_F(Chown, NewFilesBelongToTheCaller) {
  REQUIRE_TRAIT(other_users);
  as_user(kBob, [] {
    write_file("file", "x");
    ASSERT_OK(mkdir("dir", 0755));
    if (options().traits.symlinks) {
      ASSERT_OK(symlink("x", "link"));
    }
  });
  for (const char* name : {"file", "dir", "link"}) {
    if (!exists(name)) continue;
    EXPECT_EQ(lstat_of(name).st_uid, kBob.uid) << name;
    EXPECT_EQ(lstat_of(name).st_gid, kBob.gid) << name;
  }
}

TEST_F(Chown, ClearsSetIdBits) {
  REQUIRE_TRAIT(clears_setid);
  REQUIRE_TRAIT(other_users);
  write_file("file", "x");
  ASSERT_OK(chown("file", kAlice.uid, kAlice.gid));
  ASSERT_OK(chmod("file", 06755));
  as_user(kAlice, [] { ASSERT_OK(chown("file", kSameUid, kTeam)); });
  EXPECT_EQ(mode_of("file"), 0755u);
  ASSERT_OK(chmod("file", 06755));
  ASSERT_OK(chown("file", 1, 1));  // Linux clears them for root too
  EXPECT_EQ(mode_of("file"), 0755u);
  ASSERT_OK(chmod("file", 02745));  // without group execution the bit means mandatory locking and stays
  ASSERT_OK(chown("file", 2, 2));
  EXPECT_EQ(mode_of("file") & 0777u, 0745u);
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(chmod("dir", 06755));
  ASSERT_OK(chown("dir", 1, 1));
  EXPECT_EQ(mode_of("dir"), 06755u);  // directories keep theirs
}

TEST_F(Chown, WritingClearsSetIdBits) {
  REQUIRE_TRAIT(clears_setid);
  REQUIRE_TRAIT(other_users);
  write_file("file", "content");
  const struct {
    const char* how;
    void (*act)();
  } cases[] = {
      {"write", [] { EXPECT_EQ(write(open_ok("file", O_WRONLY).get(), "y", 1), 1); }},
      {"pwrite beyond the end", [] { EXPECT_EQ(pwrite(open_ok("file", O_WRONLY).get(), "y", 1, 5000), 1); }},
      {"append", [] { EXPECT_EQ(write(open_ok("file", O_WRONLY | O_APPEND).get(), "y", 1), 1); }},
      {"truncate", [] { EXPECT_OK(truncate("file", 3)); }},
      {"ftruncate", [] { EXPECT_OK(ftruncate(open_ok("file", O_RDWR).get(), 4)); }},
      {"O_TRUNC", [] { open_ok("file", O_WRONLY | O_TRUNC); }},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.how);
    ASSERT_OK(chown("file", 0, kTeam));
    ASSERT_OK(chmod("file", 06777));
    as_user(kAlice, each.act);
    EXPECT_EQ(mode_of("file"), 0777u);
  }
  ASSERT_OK(chmod("file", 06777));
  as_user(kAlice, [] {
    EXPECT_EQ(write(open_ok("file", O_WRONLY).get(), "y", 0), 0);
    char byte = 0;
    EXPECT_GE(read(open_ok("file", O_RDONLY).get(), &byte, 1), 0);
  });
  EXPECT_EQ(mode_of("file"), 06777u);
  if (!options().traits.root_keeps_setid) return;
  EXPECT_EQ(write(open_ok("file", O_WRONLY).get(), "y", 1), 1);
  EXPECT_EQ(mode_of("file"), 06777u);
}

// Ways to change "file".
struct Act {
  const char* how;
  void (*act)();
};
constexpr Act kWrite{"write", [] { EXPECT_EQ(write(open_ok("file", O_WRONLY).get(), "y", 1), 1); }};
constexpr Act kTruncate{"truncate", [] { EXPECT_OK(truncate("file", 3)); }};
constexpr Act kOpenTruncated{"O_TRUNC", [] { open_ok("file", O_WRONLY | O_TRUNC); }};

// Set-group-ID without group execution runs nothing, but only members of the group (and root) may leave it there.
TEST_F(Chown, SetGroupIdOfOthersGroups) {
  REQUIRE_TRAIT(clears_setid);
  REQUIRE_TRAIT(other_users);
  write_file("file", "content");
  auto after = [](const User& who, mode_t mode, void (*act)()) {
    EXPECT_OK(chown("file", 0, kAlice.gid));
    EXPECT_OK(chmod("file", mode));
    as_user(who, act);
    return mode_of("file");
  };
  const Act acts[] = {kWrite, kTruncate, kOpenTruncated};
  for (const auto& each : acts) {
    SCOPED_TRACE(each.how);
    // Where root's writes take the bits, they are somebody's without rights over the group, and so are alice's.
    if (options().traits.root_keeps_setid || each.act != kWrite.act) {
      EXPECT_EQ(after(kAlice, 06767, each.act), 02767u);
    }
    EXPECT_EQ(after(kBob, 06767, each.act), 0767u);
    EXPECT_EQ(after(kAlice, 02676, each.act), 0676u);
    EXPECT_EQ(after(kBob, 04666, each.act), 0666u);
  }
}

// File capabilities go when anybody writes, also root.
TEST_F(Chown, WritingDropsCapabilities) {
  REQUIRE_TRAIT(clears_setid);
  REQUIRE_TRAIT(xattrs_trusted);
  const Fd other = open_ok("file", O_RDWR | O_CREAT);
  // A version 2 vfs_cap_data: cap_net_raw, effective and permitted.
  const unsigned char caps[20] = {1, 0, 0, 2, 0, 0x20};
  char room[64];
  const Act acts[] = {kWrite, kTruncate, kOpenTruncated, {"chown", [] { EXPECT_OK(chown("file", 0, 0)); }}};
  for (const auto& each : acts) {
    SCOPED_TRACE(each.how);
    ASSERT_OK(setxattr("file", "security.capability", caps, sizeof caps, 0));
    ASSERT_EQ(getxattr("file", "security.capability", room, sizeof room), 20);
    each.act();
    EXPECT_ERRNO(getxattr("file", "security.capability", room, sizeof room), ENODATA);
  }
  // Also on a descriptor that has been written through before, when the kernel had seen that there are none.
  EXPECT_EQ(write(other.get(), "x", 1), 1);
  ASSERT_OK(setxattr("file", "security.capability", caps, sizeof caps, 0));
  EXPECT_EQ(write(other.get(), "x", 1), 1);
  EXPECT_ERRNO(getxattr("file", "security.capability", room, sizeof room), ENODATA);
}

TEST_F(Chown, SetIdOnADescriptorOpenedBefore) {
  REQUIRE_TRAIT(clears_setid);
  REQUIRE_TRAIT(other_users);
  write_file("file", "content");
  ASSERT_OK(chown("file", kAlice.uid, kAlice.gid));
  as_user(kAlice, [] {
    const Fd fd = open_ok("file", O_WRONLY);
    ASSERT_OK(fchmod(fd.get(), 04755));
    EXPECT_EQ(stat_of(fd.get()).st_mode & 07777, 04755u);
    EXPECT_EQ(write(fd.get(), "x", 1), 1);
    EXPECT_EQ(stat_of(fd.get()).st_mode & 07777, 0755u);
  });
}

}  // namespace
}  // namespace isthmus::conformance
