#include "doors/fuse/mount.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "doors/fuse/keeper.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/unmount.h"

namespace isthmus::fuse {
namespace {

using ::testing::HasSubstr;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/isthmus-mount-test-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST(MountTable, ReadsMountinfo) {
  auto all = parse_mountinfo(
      "22 27 0:20 / /sys rw,nosuid shared:7 master:1 - sysfs sysfs rw\n"
      "86 66 0:41 / /tmp/a\\040b rw,relatime - fuse.mem some\\011thing rw,user_id=0\n"
      "nonsense\n"
      "1 2 3 /\n"
      "87 66 0:42 / /x rw - fuseblk");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].type, "sysfs");
  EXPECT_FALSE(all[0].is_fuse());
  EXPECT_EQ(all[1].path, "/tmp/a b");
  EXPECT_EQ(all[1].source, "some\tthing");
  EXPECT_EQ(all[1].id, 86);
  EXPECT_EQ(all[1].parent, 66);
  EXPECT_EQ(all[1].minor, 41u);
  EXPECT_TRUE(all[1].is_fuse());
  EXPECT_TRUE(all[2].is_fuse());
}

TEST(MountTable, FindsItsOwn) {
  auto proc = mount_at("/proc");
  ASSERT_TRUE(proc);
  EXPECT_EQ(proc->type, "proc");
  EXPECT_EQ(mount_by_id(proc->id)->path, "/proc");
  EXPECT_FALSE(mount_by_id(INT32_MAX));
  EXPECT_FALSE(mount_at("/proc/"));
}

TEST(MountTable, MakesPathsAbsoluteWithoutTheLastComponent) {
  Folder f;
  ASSERT_EQ(symlink(f.path.c_str(), (f.path + "/link").c_str()), 0);
  EXPECT_EQ(absolute_mountpoint(f.path + "/link/absent///"), f.path + "/absent");
  EXPECT_EQ(absolute_mountpoint(f.path + "/link"), f.path + "/link");
  EXPECT_EQ(absolute_mountpoint(f.path + "/."), f.path);
  EXPECT_EQ(absolute_mountpoint("/"), "/");
  EXPECT_EQ(absolute_mountpoint("/tmp"), "/tmp");
  EXPECT_EQ(absolute_mountpoint(f.path + "/no/such"), "");
}

TEST(MountTable, ProbesAnswer) {
  Folder f;
  Probe there = probe(f.path, 5000);
  EXPECT_TRUE(there.answered);
  EXPECT_EQ(there.error, 0);
  EXPECT_TRUE(S_ISDIR(there.mode));
  Probe absent = probe(f.path + "/absent", 5000);
  EXPECT_TRUE(absent.answered);
  EXPECT_EQ(absent.error, ENOENT);
}

TEST(Mountpoint, SaysWhatIsWrong) {
  Folder f;
  auto absent = open_mountpoint(f.path + "/absent");
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.problem().text(), HasSubstr("mkdir -p"));
  auto closed = open_mountpoint("/dev/fd/777");
  ASSERT_FALSE(closed);
  EXPECT_THAT(closed.problem().text(), HasSubstr("descriptor 777 is not open"));
  EXPECT_FALSE(open_mountpoint("/dev/fd/x"));
  EXPECT_FALSE(open_mountpoint("/dev/fd/99999999999"));
}

TEST(Mountpoint, FollowsALinkOnceAndHoldsThePlace) {
  Folder f;
  std::string place = f.path + "/place", link = f.path + "/link";
  ASSERT_EQ(mkdir(place.c_str(), 0700), 0);
  ASSERT_EQ(symlink(place.c_str(), link.c_str()), 0);
  auto point = open_mountpoint(link);
  ASSERT_TRUE(point);
  EXPECT_EQ(point->path, place);
  EXPECT_EQ(point->type, uint32_t{S_IFDIR});
  struct stat before {
  }, held{};
  ASSERT_EQ(stat(place.c_str(), &before), 0);
  ASSERT_EQ(rename(place.c_str(), (f.path + "/moved").c_str()), 0);
  ASSERT_EQ(fstat(point->place.get(), &held), 0);
  EXPECT_EQ(before.st_ino, held.st_ino);
}

TEST(Mountpoint, TypesMustAgree) {
  Folder f;
  std::string file = f.path + "/file";
  Fd made(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  auto point = open_mountpoint(file);
  ASSERT_TRUE(point);
  auto mounted = mount(std::move(*point), {}, S_IFDIR, "s", "t");
  ASSERT_FALSE(mounted);
  EXPECT_EQ(mounted.problem().code, err(ENOTDIR));
  EXPECT_THAT(mounted.problem().text(), HasSubstr("is a regular file, but the source is a directory"));
  auto folder = open_mountpoint(f.path);
  ASSERT_TRUE(folder);
  EXPECT_EQ(mount(std::move(*folder), {}, S_IFREG, "s", "t").problem().code, err(EISDIR));
}

TEST(Mountpoint, AGivenDeviceIsTakenAsItIs) {
  Fd device(fcntl(STDIN_FILENO, F_DUPFD, 100));
  ASSERT_TRUE(device);
  auto point = open_mountpoint("/dev/fd/" + std::to_string(device.get()));
  ASSERT_TRUE(point);
  int number = device.release();
  EXPECT_EQ(point->device.get(), number);
  EXPECT_TRUE(fcntl(number, F_GETFD) & FD_CLOEXEC);
  auto mounted = mount(std::move(*point), {}, S_IFDIR, "s", "t");
  ASSERT_TRUE(mounted);
  EXPECT_EQ(mounted->by, MountedBy::somebody);
  EXPECT_EQ(mounted->device.get(), number);
}

TEST(Unmount, RefusesWhatIsNotFuse) {
  auto proc = unmount("/proc", UnmountHow::plain);
  ASSERT_FALSE(proc);
  EXPECT_THAT(proc.problem().text(), HasSubstr("type proc, not FUSE"));
  Folder f;
  EXPECT_THAT(unmount(f.path, UnmountHow::lazy).problem().text(), HasSubstr("nothing is mounted there"));
  EXPECT_THAT(unmount(f.path + "/no/such", UnmountHow::lazy).problem().text(), HasSubstr("does not exist"));
}

TEST(Unmount, FindsUsers) {
  auto proc = mount_at("/proc");
  ASSERT_TRUE(proc);
  Fd open_file(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  bool found = false;
  for (auto& u : users_of(*proc)) found = found || (u.pid == getpid() && u.by.starts_with("fd "));
  EXPECT_TRUE(found);
}

TEST(Keeper, AnswersForAMountThatIsGone) {
  auto keeper = Keeper::start();
  ASSERT_TRUE(keeper);
  Mounted m;
  m.id = INT32_MAX;
  EXPECT_TRUE(keeper->arm(m, true));
  EXPECT_TRUE(keeper->request(UnmountHow::plain));
  EXPECT_TRUE(keeper->take_answer());
  EXPECT_TRUE(keeper->request(UnmountHow::lazy));
  EXPECT_TRUE(keeper->take_answer());
}

TEST(Keeper, HoldsNothingOpenAndEndsWithUs) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd in(ends[0]), out(ends[1]);
  {
    auto keeper = Keeper::start();
    ASSERT_TRUE(keeper);
    out.reset();
    char byte = 0;
    // End of file: no copy of the pipe's other end lives in the keeper.
    EXPECT_EQ(read(in.get(), &byte, 1), 0);
  }
}

}  // namespace
}  // namespace isthmus::fuse
