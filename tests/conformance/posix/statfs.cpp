// statfs(2) and statvfs(3).
#include "tests/conformance/folder.h"

#include <sys/statvfs.h>
#include <sys/vfs.h>

namespace isthmus::conformance {
namespace {

class Statfs : public FolderTest {};

TEST_F(Statfs, Sane) {
  struct statfs about {};
  ASSERT_OK(statfs(".", &about));
  EXPECT_GT(about.f_bsize, 0);
  EXPECT_EQ(about.f_bsize & (about.f_bsize - 1), 0) << "not a power of two";
  EXPECT_LE(about.f_bfree, about.f_blocks);
  EXPECT_LE(about.f_bavail, about.f_blocks);
  EXPECT_LE(about.f_ffree, about.f_files);
  EXPECT_EQ(static_cast<std::uint64_t>(about.f_namelen), options().traits.name_max);
  struct statvfs same {};
  ASSERT_OK(statvfs(".", &same));
  EXPECT_EQ(same.f_blocks, about.f_blocks);
  EXPECT_EQ(same.f_namemax, static_cast<unsigned long>(about.f_namelen));
  EXPECT_GT(same.f_frsize, 0u);
  EXPECT_EQ(same.f_flag & ST_RDONLY, 0u);
  write_file("file", "x");
  const Fd fd = open_ok("file", O_RDONLY);
  struct statfs by_fd {};
  ASSERT_OK(fstatfs(fd.get(), &by_fd));
  EXPECT_EQ(by_fd.f_type, about.f_type);
  EXPECT_EQ(by_fd.f_blocks, about.f_blocks);
  ASSERT_OK(statfs("file", &by_fd));
  EXPECT_ERRNO(statfs("absent", &about), ENOENT);
  EXPECT_ERRNO(statfs("file/x", &about), ENOTDIR);
}

TEST_F(Statfs, PathconfAgrees) {
  EXPECT_EQ(static_cast<std::uint64_t>(pathconf(".", _PC_NAME_MAX)), options().traits.name_max);
  EXPECT_GE(pathconf(".", _PC_LINK_MAX), 8);
}

TEST_F(Statfs, CountsFollowUse) {
  REQUIRE_TRAIT(statfs_counts);
  constexpr std::size_t kBytes = 16 << 20;
  struct statvfs before {};
  struct statvfs during {};
  ASSERT_OK(statvfs(".", &before));
  write_file("file", pattern(kBytes, 1));
  {
    const Fd fd = open_ok("file", O_RDONLY);
    ASSERT_OK(fsync(fd.get()));
  }
  ASSERT_OK(statvfs(".", &during));
  // Others may use the same disk: only a rough statement holds.
  const auto used = static_cast<double>(before.f_bfree) * static_cast<double>(before.f_frsize) -
                    static_cast<double>(during.f_bfree) * static_cast<double>(during.f_frsize);
  EXPECT_GT(used, kBytes / 2.0);
  EXPECT_GE(lstat_of("file").st_blocks * 512, static_cast<blkcnt_t>(kBytes / 2));
}

}  // namespace
}  // namespace isthmus::conformance
