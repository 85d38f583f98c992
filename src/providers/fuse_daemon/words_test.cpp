#include <gmock/gmock.h>
#include <sys/mount.h>

#include "providers/fuse_daemon/fusermount.h"
#include "providers/fuse_daemon/mount_words.h"

namespace isthmus::fuse_daemon {
namespace {

using Wish = FusermountWords::Wish;

TEST(MountWordsTest, TypesOfTheKernel) {
  for (auto type : {"fuse", "fuse.sshfs", "fuseblk", "fuseblk.ntfs"}) EXPECT_TRUE(is_fuse_type(type)) << type;
  for (auto type : {"", "fusectl", "fuse2", "ext4", "fus"}) EXPECT_FALSE(is_fuse_type(type)) << type;
}

TEST(MountWordsTest, MountSystemCall) {
  const Mount m = take_mount("host:/srv", "fuse.sshfs", MS_RDONLY | MS_NOSUID,
                             "fd=7,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=65536");
  EXPECT_EQ(m.fsname, "host:/srv");
  EXPECT_EQ(m.subtype, "sshfs");
  EXPECT_EQ(m.device, 7);
  EXPECT_EQ(m.max_read, 65536U);
  EXPECT_TRUE(m.read_only && m.allow_other && m.default_permissions && !m.block_device);
  EXPECT_TRUE(take_mount("/dev/sda1", "fuseblk", 0, "").block_device);
}

TEST(MountWordsTest, OptionsWithCommasInThem) {
  Mount m;
  take_options(R"(fsname=a\,b\\c,ro,rw,subtype=x,,max_read=,fd=abc,max_read=99999999999,unknown=1)", m);
  EXPECT_EQ(m.fsname, R"(a,b\c)");
  EXPECT_EQ(m.subtype, "x");
  EXPECT_FALSE(m.read_only);
  EXPECT_EQ(m.device, -1);
  EXPECT_EQ(m.max_read, 0U);
}

TEST(FusermountTest, WordsOfLibraries) {
  auto w = parse_fusermount({"-o", "rw,fsname=x", "--", "/mnt"});
  ASSERT_TRUE(w);
  EXPECT_EQ(w->wish, Wish::mount);
  EXPECT_EQ(w->options, "rw,fsname=x");
  EXPECT_EQ(w->target, "/mnt");
  w = parse_fusermount({"-oro", "-o", "nonempty", "--comm-fd=5", "mnt"});
  ASSERT_TRUE(w);
  EXPECT_EQ(w->options, "ro,nonempty");
  EXPECT_EQ(w->answer_to, 5);
  w = parse_fusermount({"-u", "-q", "-z", "--", "-odd"});
  ASSERT_TRUE(w);
  EXPECT_EQ(w->wish, Wish::unmount);
  EXPECT_TRUE(w->quiet);
  EXPECT_EQ(w->target, "-odd");
  w = parse_fusermount({"-uz", "/mnt"});
  ASSERT_TRUE(w);
  EXPECT_EQ(w->wish, Wish::unmount);
  w = parse_fusermount({"--auto-unmount", "--", "/mnt"});
  ASSERT_TRUE(w);
  EXPECT_EQ(parse_fusermount({"-V"})->wish, Wish::version);
}

TEST(FusermountTest, NothingThatCanBeDone) {
  EXPECT_FALSE(parse_fusermount({}));
  EXPECT_FALSE(parse_fusermount({"-o"}));
  EXPECT_FALSE(parse_fusermount({"/a", "/b"}));
  EXPECT_FALSE(parse_fusermount({"-x", "/a"}));
  EXPECT_FALSE(parse_fusermount({"--what", "/a"}));
}

TEST(FusermountTest, Names) {
  EXPECT_TRUE(is_fusermount("/run/x/fusermount3") && is_fusermount("fusermount"));
  EXPECT_FALSE(is_fusermount("/fusermount/isthmus") || is_fusermount("fusermount2"));
}

}  // namespace
}  // namespace isthmus::fuse_daemon
