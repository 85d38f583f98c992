#include "doors/fuse/options.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <set>

#include "doors/fuse/main.h"
#include "doors/fuse/mount.h"
#include "doors/fuse/mount_direct.h"
#include "doors/fuse/serve.h"

namespace isthmus::fuse {
namespace {

using ::testing::HasSubstr;

MountOptions parsed(std::string_view list) {
  MountOptions o;
  auto done = parse_options(list, o);
  EXPECT_TRUE(done) << list << ": " << (done ? "" : done.problem().text());
  return o;
}

Problem refusal(std::string_view list) {
  MountOptions o;
  auto done = parse_options(list, o);
  EXPECT_FALSE(done) << list;
  return done ? Problem{} : done.problem();
}

TEST(MountOptions, DefaultsAreSafe) {
  MountOptions o = parsed("");
  EXPECT_FALSE(o.default_permissions) << "left to settle_permissions()";
  EXPECT_FALSE(o.suid);
  EXPECT_FALSE(o.dev);
  EXPECT_FALSE(o.allow_other);
  EXPECT_EQ(mount_flags(o), 2u | 4u);  // MS_NOSUID, MS_NODEV
}

TEST(MountOptions, EachReachesItsPlace) {
  MountOptions o = parsed("ro,noexec,noatime,dirsync,suid,dev,max_read=64k,fsname=a\\,b,subtype=t,entry_timeout=1.5");
  EXPECT_EQ(mount_flags(o), 1u | 8u | 1024u | 128u);
  o.strictatime = true;
  EXPECT_TRUE(mount_flags(o) & 1u << 24);
  EXPECT_EQ(o.max_read, 65536u);
  EXPECT_EQ(o.fsname, "a,b");
  EXPECT_EQ(o.subtype, "t");
  EXPECT_EQ(o.entry_ttl, 1500u);
  EXPECT_FALSE(o.attr_ttl);
}

TEST(MountOptions, LaterOnesWin) {
  EXPECT_FALSE(parsed("ro,rw").read_only);
  EXPECT_TRUE(parsed("nosuid,suid").suid);
  EXPECT_EQ(parsed("default_permissions,no_default_permissions").default_permissions, false);
  MountOptions o = parsed("allow_root,allow_other");
  EXPECT_TRUE(o.allow_other);
  EXPECT_FALSE(o.allow_root);
  EXPECT_TRUE(parsed("allow_root").allow_other);
}

TEST(MountOptions, WhoChecksPermissions) {
  auto kernel_checks = [](std::string_view options, uint32_t uid, bool export_can_be_refused = true) {
    MountOptions o = parsed(options);
    settle_permissions(o, uid, export_can_be_refused);
    return o.default_permissions.value();
  };
  EXPECT_FALSE(kernel_checks("", 0));
  EXPECT_TRUE(kernel_checks("", 1000));
  EXPECT_TRUE(kernel_checks("allow_other", 0));
  EXPECT_TRUE(kernel_checks("allow_root", 0));
  EXPECT_TRUE(kernel_checks("noforget", 0)) << "for NFS";
  EXPECT_TRUE(kernel_checks("", 0, false));
  EXPECT_TRUE(kernel_checks("default_permissions", 0));
  EXPECT_FALSE(kernel_checks("no_default_permissions,allow_other", 1000));
}

TEST(MountOptions, SessionGetsItsShare) {
  MountOptions o = parsed(
      "max_write=128k,max_readahead=0,max_background=7,threads=3,no_clone_fd,writeback_cache,noforget,"
      "no_remote_flock,sync_read,no_readdirplus,no_splice_write,negative_timeout=0,allow_root");
  SessionOptions s = session_options(o);
  EXPECT_EQ(s.max_write, 131072u);
  EXPECT_EQ(s.max_readahead, 0u);
  EXPECT_EQ(s.max_background, 7u);
  EXPECT_EQ(s.threads, 3u);
  EXPECT_FALSE(s.clone_fd);
  EXPECT_EQ(s.writeback_cache, true);
  EXPECT_TRUE(s.no_forget);
  EXPECT_EQ(s.remote_flock, false);
  EXPECT_EQ(s.remote_posix_lock, std::nullopt);
  EXPECT_EQ(s.async_read, false);
  EXPECT_EQ(s.readdirplus, false);
  EXPECT_FALSE(s.splice);
  EXPECT_EQ(s.negative_ttl, 0u);
  EXPECT_FALSE(s.entry_ttl);
  EXPECT_EQ(s.only_uid, getuid());
}

TEST(MountOptions, LibfusesHarmlessOnesAreAccepted) {
  parsed("nonempty,big_writes,use_ino,auto_cache,ac_attr_timeout=1,splice_read,no_splice_move,async_read,,");
}

TEST(MountOptions, MistakesAreNamed) {
  EXPECT_THAT(refusal("allow_othr").text(), HasSubstr("did you mean 'allow_other'?"));
  EXPECT_THAT(refusal("ro,zzzzzzzzzz").text(), HasSubstr("unknown mount option 'zzzzzzzzzz'"));
  EXPECT_THAT(refusal("ro=1").text(), HasSubstr("takes no value"));
  EXPECT_THAT(refusal("max_read").text(), HasSubstr("max_read=BYTES"));
  EXPECT_THAT(refusal("max_read=1").text(), HasSubstr("'1'"));
  EXPECT_THAT(refusal("max_background=65536").text(), HasSubstr("max_background=N"));
  EXPECT_THAT(refusal("entry_timeout=-1").text(), HasSubstr("SECONDS"));
  EXPECT_THAT(refusal("uid=0").text(), HasSubstr("not supported"));
  EXPECT_THAT(refusal("blkdev").text(), HasSubstr("not supported"));
  EXPECT_THAT(refusal(std::string("fsname=a\nb")).text(), HasSubstr("fsname=TEXT"));
  EXPECT_THAT(refusal("fsname=").text(), HasSubstr("fsname"));
}

TEST(MountOptions, TheTableIsSound) {
  std::set<std::string_view> names;
  for (auto& o : option_table()) {
    EXPECT_TRUE(names.insert(o.name).second) << o.name << " twice";
    EXPECT_FALSE(o.help.empty()) << o.name;
    EXPECT_NE(o.help.back(), '.') << o.name;
    EXPECT_NE(o.set, nullptr) << o.name;
  }
}

TEST(MountOptions, HelpShowsEveryOptionWithinTheWidth) {
  std::string help = options_help(80);
  for (auto& o : option_table()) {
    if (o.place == OptionPlace::ignored || o.place == OptionPlace::refused) continue;
    EXPECT_THAT(help, HasSubstr("  " + option_synopsis(o)));
  }
  for (size_t at = 0; at < help.size();) {
    size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 80u) << help.substr(at, end - at);
    at = end + 1;
  }
}

TEST(MountOptions, HelperGetsThemEscapedAndSafe) {
  MountOptions o = parsed("suid,dev,allow_other,auto_unmount");
  std::string s = helper_options(o, "a,b\\c", "mem");
  EXPECT_EQ(s, "rw,nosuid,nodev,default_permissions,allow_other,auto_unmount,fsname=a\\,b\\\\c,subtype=mem");
}

}  // namespace
}  // namespace isthmus::fuse
