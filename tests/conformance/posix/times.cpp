// utimensat(2), and which call changes which times of the file and of its folder.
#include "tests/conformance/folder.h"

#include <sys/mman.h>
#include <sys/xattr.h>
#include <ctime>

namespace isthmus::conformance {
namespace {

class Times : public FolderTest {};

constexpr std::int64_t kOld = 1'000'000'000'000'000'000LL;  // 2001, nanoseconds
constexpr timespec kOldTimes[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};

void age(const std::string& path) { EXPECT_OK(utimensat(AT_FDCWD, path.c_str(), kOldTimes, AT_SYMLINK_NOFOLLOW)); }

std::int64_t rounded(std::int64_t ns) {
  const auto unit = static_cast<std::int64_t>(options().traits.time_ns);
  return ns / unit * unit;
}

enum Mark : unsigned { kAccess = 1, kModify = 2, kChange = 4 };

// Runs `act` and tells which times of `path` it changed. mtime and atime are compared with an old value set before.
unsigned changed_by(const std::string& path, const std::function<void()>& act) {
  age(path);
  const auto ctime_before = ctime_of(path);
  wait_tick();
  age(".");
  act();
  unsigned changed = 0;
  if (atime_of(path) != kOld) changed |= kAccess;
  if (mtime_of(path) != kOld) changed |= kModify;
  if (ctime_of(path) > ctime_before) changed |= kChange;
  return changed;
}

TEST_F(Times, ExplicitValues) {
  write_file("file", "x");
  const timespec values[] = {{0, 0},
                             {1, 1},
                             {1'000'000'000, 123'456'789},
                             {2'000'000'000, 999'999'999},
                             {2'147'483'647, 0},
                             {2'147'483'648, 5},
                             {4'294'967'296, 7},
                             {-1, 0},
                             {-1'000'000'000, 0}};
  for (const auto& value : values) {
    SCOPED_TRACE(value.tv_sec);
    const timespec times[2] = {{value.tv_sec + 1, value.tv_nsec}, value};
    ASSERT_OK(utimensat(AT_FDCWD, "file", times, 0));
    EXPECT_EQ(mtime_of("file"), rounded(ns_of(value)));
    EXPECT_EQ(atime_of("file"), rounded(ns_of(times[0])));
  }
  const Fd fd = open_ok("file", O_RDONLY);
  const timespec by_fd[2] = {{5, 0}, {6, 0}};
  ASSERT_OK(futimens(fd.get(), by_fd));
  EXPECT_EQ(lstat_of("file").st_atim.tv_sec, 5);
  EXPECT_EQ(lstat_of("file").st_mtim.tv_sec, 6);
}

TEST_F(Times, NowAndOmit) {
  write_file("file", "x");
  age("file");
  const timespec omit_both[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  ASSERT_OK(utimensat(AT_FDCWD, "file", omit_both, 0));
  EXPECT_EQ(atime_of("file"), kOld);
  EXPECT_EQ(mtime_of("file"), kOld);
  const timespec only_mtime[2] = {{0, UTIME_OMIT}, {77, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, "file", only_mtime, 0));
  EXPECT_EQ(atime_of("file"), kOld);
  EXPECT_EQ(lstat_of("file").st_mtim.tv_sec, 77);
  const timespec only_atime[2] = {{88, 0}, {0, UTIME_OMIT}};
  ASSERT_OK(utimensat(AT_FDCWD, "file", only_atime, 0));
  EXPECT_EQ(lstat_of("file").st_atim.tv_sec, 88);
  EXPECT_EQ(lstat_of("file").st_mtim.tv_sec, 77);
  const time_t before = time(nullptr) - 2;
  const timespec now_and_omit[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  ASSERT_OK(utimensat(AT_FDCWD, "file", now_and_omit, 0));
  EXPECT_GE(lstat_of("file").st_atim.tv_sec, before);
  EXPECT_EQ(lstat_of("file").st_mtim.tv_sec, 77);
  ASSERT_OK(utimensat(AT_FDCWD, "file", nullptr, 0));
  EXPECT_GE(lstat_of("file").st_mtim.tv_sec, before);
  EXPECT_LE(lstat_of("file").st_mtim.tv_sec, time(nullptr) + 2);
}

TEST_F(Times, Errors) {
  write_file("file", "x");
  const timespec bad[2] = {{0, 1'000'000'000}, {0, 0}};
  const timespec negative[2] = {{0, 0}, {0, -5}};
  EXPECT_ERRNO(utimensat(AT_FDCWD, "file", bad, 0), EINVAL);
  EXPECT_ERRNO(utimensat(AT_FDCWD, "file", negative, 0), EINVAL);
  EXPECT_ERRNO(utimensat(AT_FDCWD, "absent", nullptr, 0), ENOENT);
  EXPECT_ERRNO(utimensat(AT_FDCWD, "file/x", nullptr, 0), ENOTDIR);
}

TEST_F(Times, WhoMay) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  write_file("file", "x");
  ASSERT_OK(chown("file", kAlice.uid, kAlice.gid));
  const timespec set[2] = {{5, 0}, {6, 0}};
  const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  const timespec half[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  const timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  ASSERT_OK(chmod("file", 0));
  as_user(kAlice, [&] {  // the owner may whatever the mode says
    EXPECT_OK(utimensat(AT_FDCWD, "file", set, 0));
    EXPECT_OK(utimensat(AT_FDCWD, "file", now, 0));
    EXPECT_OK(utimensat(AT_FDCWD, "file", nullptr, 0));
  });
  as_user(kCarol, [&] {
    EXPECT_ERRNO(utimensat(AT_FDCWD, "file", set, 0), EPERM);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "file", now, 0), EACCES);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "file", nullptr, 0), EACCES);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "file", half, 0), EPERM);
    EXPECT_OK(utimensat(AT_FDCWD, "file", omit, 0));
  });
  ASSERT_OK(chmod("file", 0002));
  as_user(kCarol, [&] {  // who may write may say "now", but not choose
    EXPECT_OK(utimensat(AT_FDCWD, "file", nullptr, 0));
    EXPECT_OK(utimensat(AT_FDCWD, "file", now, 0));
    EXPECT_ERRNO(utimensat(AT_FDCWD, "file", set, 0), EPERM);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "file", half, 0), EPERM);
  });
}

TEST_F(Times, NewFilesAreOfNow) {
  const time_t before = time(nullptr) - 2;
  write_file("file", "x");
  ASSERT_OK(mkdir("dir", 0755));
  for (const char* name : {"file", "dir"}) {
    const struct stat about = lstat_of(name);
    for (const time_t each : {about.st_atim.tv_sec, about.st_mtim.tv_sec, about.st_ctim.tv_sec}) {
      EXPECT_GE(each, before) << name;
      EXPECT_LE(each, time(nullptr) + 2) << name;
    }
  }
}

TEST_F(Times, ChangesOfTheFile) {
  REQUIRE_TRAIT(ctime);
  write_file("file", "content");
  EXPECT_EQ(changed_by("file", [] { EXPECT_OK(chmod("file", 0600)); }), kChange);
  EXPECT_EQ(changed_by("file", [] { EXPECT_EQ(write(open_ok("file", O_WRONLY).get(), "y", 1), 1); }),
            kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { EXPECT_EQ(write(open_ok("file", O_WRONLY | O_APPEND).get(), "y", 1), 1); }),
            kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { EXPECT_OK(truncate("file", 3)); }), kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { EXPECT_OK(truncate("file", 9000)); }), kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { EXPECT_OK(ftruncate(open_ok("file", O_RDWR).get(), 9000)); }), kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { open_ok("file", O_WRONLY | O_TRUNC); }), kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { open_ok("file", O_WRONLY | O_TRUNC); }), kModify | kChange);  // empty already
  EXPECT_EQ(changed_by("file", [] { open_ok("file", O_WRONLY | O_CREAT | O_TRUNC); }), kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { open_ok("file", O_RDONLY | O_CREAT | O_TRUNC | O_NOFOLLOW); }), kModify | kChange);
  EXPECT_EQ(changed_by("file", [] { open_ok("file", O_WRONLY | O_CREAT); }), 0u);
  EXPECT_EQ(changed_by("file", [] { open_ok("file", O_RDWR); }), 0u);
  EXPECT_EQ(changed_by("file", [] { EXPECT_EQ(write(open_ok("file", O_WRONLY).get(), "y", 0), 0); }), 0u);
  EXPECT_EQ(changed_by("file", [] { lstat_of("file"); }), 0u);
  EXPECT_EQ(changed_by("file", [] { EXPECT_OK(access("file", R_OK)); }), 0u);
  if (options().traits.owners) {
    EXPECT_EQ(changed_by("file", [] { EXPECT_OK(chown("file", 1, 2)); }), kChange);
  }
  if (options().traits.hard_links) {
    EXPECT_EQ(changed_by("file", [] { EXPECT_OK(link("file", "twin")); }), kChange);
    EXPECT_EQ(changed_by("file", [] { EXPECT_OK(unlink("twin")); }), kChange);
    EXPECT_OK(link("file", "twin"));
    EXPECT_EQ(changed_by("twin",
                         [] {
                           write_file("other", "x");
                           EXPECT_OK(rename("other", "file"));
                         }),
              kChange);
  }
  if (options().traits.xattrs) {
    EXPECT_EQ(changed_by("file", [] { EXPECT_OK(setxattr("file", "user.a", "v", 1, 0)); }), kChange);
    EXPECT_EQ(changed_by("file", [] { EXPECT_OK(removexattr("file", "user.a")); }), kChange);
  }
  if (options().traits.fallocate) {
    EXPECT_EQ(changed_by("file", [] { EXPECT_OK(fallocate(open_ok("file", O_RDWR).get(), 0, 0, 100000)); }) & kChange,
              kChange);
  }
}

TEST_F(Times, RenameChangesTheStatusOfTheFile) {
  REQUIRE_TRAIT(ctime);
  write_file("file", "x");
  const auto before = ctime_of("file");
  wait_tick();
  ASSERT_OK(rename("file", "moved"));
  EXPECT_GT(ctime_of("moved"), before);
}

TEST_F(Times, ReadingChangesTheAccessTime) {
  REQUIRE_TRAIT(atime);
  write_file("file", "content");
  char byte = 0;
  EXPECT_EQ(changed_by("file", [&] { EXPECT_EQ(read(open_ok("file", O_RDONLY).get(), &byte, 1), 1); }) & kAccess,
            kAccess);
  EXPECT_EQ(changed_by("file", [&] { EXPECT_EQ(read(open_ok("file", O_RDONLY | O_NOATIME).get(), &byte, 1), 1); }), 0u);
  ASSERT_OK(mkdir("dir", 0755));
  EXPECT_EQ(changed_by("dir", [] { names_of("dir"); }) & kAccess, kAccess);
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("x", "link"));
    char target[8];
    EXPECT_EQ(changed_by("link", [&] { EXPECT_EQ(readlink("link", target, 8), 1); }) & kAccess, kAccess);
  }
}

TEST_F(Times, ChangesOfTheFolder) {
  REQUIRE_TRAIT(ctime);
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(mkdir("other", 0755));
  const auto check = [](const char* what, const std::function<void()>& act, unsigned wanted = kModify | kChange) {
    SCOPED_TRACE(what);
    EXPECT_EQ(changed_by("dir", act) & (kModify | kChange), wanted);
  };
  check("create", [] { write_file("dir/file", "x"); });
  check(
      "open existing", [] { open_ok("dir/file", O_WRONLY | O_CREAT); }, 0);
  check(
      "write", [] { write_file("dir/file", "y"); }, 0);
  check(
      "chmod of an entry", [] { EXPECT_OK(chmod("dir/file", 0600)); }, 0);
  check("mkdir", [] { EXPECT_OK(mkdir("dir/sub", 0755)); });
  check(
      "change in a sub-folder",
      [] {
        write_file("dir/sub/file", "");
        EXPECT_OK(unlink("dir/sub/file"));
      },
      0);
  check("rmdir", [] { EXPECT_OK(rmdir("dir/sub")); });
  check("rename within", [] { EXPECT_OK(rename("dir/file", "dir/file2")); });
  check("rename away", [] { EXPECT_OK(rename("dir/file2", "other/file")); });
  check("rename to", [] { EXPECT_OK(rename("other/file", "dir/file")); });
  check(
      "failing mkdir", [] { EXPECT_ERRNO(mkdir("dir/file", 0755), EEXIST); }, 0);
  check(
      "failing unlink", [] { EXPECT_ERRNO(unlink("dir/absent"), ENOENT); }, 0);
  check("unlink", [] { EXPECT_OK(unlink("dir/file")); });
  if (options().traits.symlinks) check("symlink", [] { EXPECT_OK(symlink("x", "dir/link")); });
  if (options().traits.special_files) check("mknod", [] { EXPECT_OK(mkfifo("dir/fifo", 0644)); });
  if (options().traits.hard_links) {
    write_file("file", "x");
    check("link", [] { EXPECT_OK(link("file", "dir/twin")); });
  }
  check(
      "chmod", [] { EXPECT_OK(chmod("dir", 0700)); }, kChange);
}

TEST_F(Times, TheSourceFolderOfARenameToo) {
  REQUIRE_TRAIT(ctime);
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(mkdir("other", 0755));
  ASSERT_OK(mkdir("dir/sub", 0755));
  age("other");
  EXPECT_EQ(changed_by("dir", [] { EXPECT_OK(rename("dir/sub", "other/sub")); }) & (kModify | kChange),
            kModify | kChange);
  EXPECT_NE(mtime_of("other"), kOld);
}

TEST_F(Times, SharedMappingsChangeTheModificationTime) {
  REQUIRE_TRAIT(mmap_shared);
  write_file("file", std::string(4096, 'x'));
  age("file");
  wait_tick();
  const Fd fd = open_ok("file", O_RDWR);
  void* const map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_OK(map);
  *static_cast<char*>(map) = 'y';
  EXPECT_OK(msync(map, 4096, MS_SYNC));
  EXPECT_OK(munmap(map, 4096));
  ASSERT_OK(fsync(fd.get()));
  EXPECT_GT(mtime_of("file"), kOld);
}

}  // namespace
}  // namespace isthmus::conformance
