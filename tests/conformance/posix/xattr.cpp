// Extended attributes: sizes, flags, name spaces, every type of file.
#include "tests/conformance/folder.h"

#include <sys/xattr.h>
#include <cstring>
#include <set>

namespace isthmus::conformance {
namespace {

class Xattr : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (IsSkipped()) return;
    REQUIRE_TRAIT(xattrs);
    write_file("file", "x");
  }
};

int put(const std::string& path, const std::string& name, const std::string& value, int flags = 0) {
  return lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags);
}

std::string get(const std::string& path, const std::string& name) {
  std::string value(70000, '\0');
  const ssize_t size = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
  if (size < 0) return "error " + error_name(errno);
  value.resize(static_cast<std::size_t>(size));
  return value;
}

// All but security.*, which the system may add by itself.
std::set<std::string> list(const std::string& path) {
  std::string names(70000, '\0');
  const ssize_t size = llistxattr(path.c_str(), names.data(), names.size());
  EXPECT_GE(size, 0) << error_name(errno);
  std::set<std::string> all;
  for (ssize_t at = 0; at < size;) {
    const std::string name = names.c_str() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    if (!name.starts_with("security.")) {
      EXPECT_TRUE(all.insert(name).second) << name << " twice";
    }
  }
  return all;
}

TEST_F(Xattr, SetGetListRemove) {
  EXPECT_TRUE(list("file").empty());
  EXPECT_ERRNO(getxattr("file", "user.a", nullptr, 0), ENODATA);
  EXPECT_ERRNO(removexattr("file", "user.a"), ENODATA);
  ASSERT_OK(put("file", "user.a", "one"));
  ASSERT_OK(put("file", "user.b", ""));
  ASSERT_OK(put("file", "user.c", std::string("nul\0inside", 10)));
  EXPECT_EQ(get("file", "user.a"), "one");
  EXPECT_EQ(get("file", "user.b"), "");
  EXPECT_EQ(get("file", "user.c"), std::string("nul\0inside", 10));
  EXPECT_EQ(list("file"), (std::set<std::string>{"user.a", "user.b", "user.c"}));
  ASSERT_OK(put("file", "user.a", "longer than before"));
  EXPECT_EQ(get("file", "user.a"), "longer than before");
  ASSERT_OK(put("file", "user.a", "s"));
  EXPECT_EQ(get("file", "user.a"), "s");
  ASSERT_OK(removexattr("file", "user.b"));
  EXPECT_ERRNO(removexattr("file", "user.b"), ENODATA);
  EXPECT_EQ(list("file"), (std::set<std::string>{"user.a", "user.c"}));
}

TEST_F(Xattr, SizeProbesAndShortBuffers) {
  ASSERT_OK(put("file", "user.name", "0123456789"));
  char buffer[16] = "###############";
  EXPECT_EQ(getxattr("file", "user.name", nullptr, 0), 10);
  EXPECT_ERRNO(getxattr("file", "user.name", buffer, 9), ERANGE);
  EXPECT_EQ(getxattr("file", "user.name", buffer, 10), 10);
  EXPECT_EQ(std::string(buffer), "0123456789#####");
  const ssize_t all = listxattr("file", nullptr, 0);
  EXPECT_GE(all, 10);
  EXPECT_ERRNO(listxattr("file", buffer, 1), ERANGE);
  std::string names(static_cast<std::size_t>(all), '#');
  EXPECT_EQ(listxattr("file", names.data(), names.size()), all);
  EXPECT_EQ(names.back(), '\0');
}

TEST_F(Xattr, CreateAndReplace) {
  EXPECT_ERRNO(put("file", "user.a", "x", XATTR_REPLACE), ENODATA);
  ASSERT_OK(put("file", "user.a", "one", XATTR_CREATE));
  EXPECT_ERRNO(put("file", "user.a", "two", XATTR_CREATE), EEXIST);
  EXPECT_EQ(get("file", "user.a"), "one");
  ASSERT_OK(put("file", "user.a", "three", XATTR_REPLACE));
  EXPECT_EQ(get("file", "user.a"), "three");
  EXPECT_ERRNO(put("file", "user.a", "x", 0x40), EINVAL);
}

TEST_F(Xattr, LargeValues) {
  const std::size_t most = options().traits.xattr_size_max;
  for (std::size_t size = 1; size <= most; size = size * 3 + 1) {
    const std::string value = pattern(size, 1);
    ASSERT_OK(put("file", "user.big", value)) << size;
    EXPECT_TRUE(get("file", "user.big") == value) << size;
  }
  const std::string value = pattern(most, 2);
  ASSERT_OK(put("file", "user.big", value)) << most;
  EXPECT_TRUE(get("file", "user.big") == value);
  EXPECT_EQ(getxattr("file", "user.big", nullptr, 0), static_cast<ssize_t>(most));
  EXPECT_ERRNO(put("file", "user.big", std::string(65537, 'x')), E2BIG, ERANGE, ENOSPC);
  EXPECT_TRUE(get("file", "user.big") == value);
}

TEST_F(Xattr, Names) {
  const std::string longest = "user." + std::string(250, 'n');
  ASSERT_OK(put("file", longest, "x"));
  EXPECT_EQ(get("file", longest), "x");
  EXPECT_ERRNO(put("file", longest + "n", "x"), ERANGE, ENAMETOOLONG);
  EXPECT_ERRNO(put("file", "", "x"), ERANGE, EINVAL, EOPNOTSUPP);
  EXPECT_ERRNO(put("file", "user.", "x"), EINVAL);
  EXPECT_ERRNO(put("file", "unknown.a", "x"), EOPNOTSUPP);
  EXPECT_ERRNO(put("file", "nodot", "x"), EOPNOTSUPP);
  ASSERT_OK(put("file", "user.\xff\xfe \n=", "bytes"));
  EXPECT_EQ(get("file", "user.\xff\xfe \n="), "bytes");
  ASSERT_OK(put("file", "user.Case", "1"));
  ASSERT_OK(put("file", "user.case", "2"));
  EXPECT_EQ(get("file", "user.Case"), "1");
  EXPECT_EQ(list("file").size(), 4u);
}

TEST_F(Xattr, ManyAttributes) {
  std::set<std::string> want;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "user.attribute" + std::to_string(i);
    ASSERT_OK(put("file", name, std::to_string(i)));
    want.insert(name);
  }
  EXPECT_EQ(list("file"), want);
  for (int i = 0; i < 100; i += 2) {
    const std::string name = "user.attribute" + std::to_string(i);
    ASSERT_OK(removexattr("file", name.c_str()));
    want.erase(name);
  }
  EXPECT_EQ(list("file"), want);
  EXPECT_EQ(get("file", "user.attribute99"), "99");
}

TEST_F(Xattr, BelongToTheFileNotToTheName) {
  ASSERT_OK(put("file", "user.a", "v"));
  ASSERT_OK(rename("file", "moved"));
  EXPECT_EQ(get("moved", "user.a"), "v");
  const Fd fd = open_ok("moved", O_RDWR);
  if (options().traits.hard_links) {
    ASSERT_OK(link("moved", "twin"));
    EXPECT_EQ(get("twin", "user.a"), "v");
    ASSERT_OK(unlink("twin"));
  }
  ASSERT_OK(fsetxattr(fd.get(), "user.b", "w", 1, 0));
  EXPECT_EQ(get("moved", "user.b"), "w");
  if (options().traits.unlinked_open) {
    ASSERT_OK(unlink("moved"));
    char value[4] = {};
    EXPECT_EQ(fgetxattr(fd.get(), "user.a", value, 4), 1);
    ASSERT_OK(fsetxattr(fd.get(), "user.c", "w", 1, 0));
    ASSERT_OK(fremovexattr(fd.get(), "user.a"));
  }
  write_file("moved", "x");
  EXPECT_TRUE(list("moved").empty());
}

TEST_F(Xattr, DirectoriesAndDescriptors) {
  ASSERT_OK(mkdir("dir", 0755));
  ASSERT_OK(put("dir", "user.a", "d"));
  EXPECT_EQ(get("dir", "user.a"), "d");
  write_file("dir/file", "x");
  EXPECT_TRUE(list("dir/file").empty());
  const Fd path = open_ok("file", O_PATH);
  EXPECT_ERRNO(fsetxattr(path.get(), "user.a", "x", 1, 0), EBADF);
}

TEST_F(Xattr, SymlinksAndSpecialFilesHaveNoUserAttributes) {
  if (options().traits.symlinks) {
    ASSERT_OK(symlink("file", "link"));
    ASSERT_OK(put("file", "user.a", "target"));
    char value[16] = {};
    EXPECT_EQ(getxattr("link", "user.a", value, sizeof value), 6);
    EXPECT_ERRNO(lsetxattr("link", "user.a", "x", 1, 0), EPERM);
    EXPECT_ERRNO(lgetxattr("link", "user.a", value, sizeof value), ENODATA);
  }
  if (options().traits.special_files) {
    ASSERT_OK(mkfifo("fifo", 0644));
    EXPECT_ERRNO(lsetxattr("fifo", "user.a", "x", 1, 0), EPERM);
  }
}

TEST_F(Xattr, TrustedAndSecurity) {
  REQUIRE_TRAIT(xattrs_trusted);
  for (const char* name : {"trusted.isthmus", "security.isthmus"}) {
    SCOPED_TRACE(name);
    ASSERT_OK(put("file", name, "value"));
    EXPECT_EQ(get("file", name), "value");
    if (options().traits.symlinks) {
      if (!exists("link")) {
        ASSERT_OK(symlink("file", "link"));
      }
      ASSERT_OK(put("link", name, "of the link"));
      EXPECT_EQ(get("link", name), "of the link");
      EXPECT_EQ(get("file", name), "value");
    }
    if (options().traits.special_files) {
      if (!exists("fifo")) {
        ASSERT_OK(mkfifo("fifo", 0644));
      }
      ASSERT_OK(put("fifo", name, "of the fifo"));
      EXPECT_EQ(get("fifo", name), "of the fifo");
    }
  }
  EXPECT_TRUE(list("file").contains("trusted.isthmus"));
  if (options().traits.other_users) {
    ASSERT_OK(chmod("file", 0666));
    as_user(kAlice, [] {
      EXPECT_ERRNO(put("file", "trusted.isthmus", "x"), EPERM);
      EXPECT_ERRNO(getxattr("file", "trusted.isthmus", nullptr, 0), ENODATA);
      EXPECT_ERRNO(removexattr("file", "trusted.isthmus"), EPERM);
    });
  }
}

TEST_F(Xattr, Permissions) {
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(put("file", "user.a", "v"));
  ASSERT_OK(chmod("file", 0604));
  as_user(kAlice, [] {
    EXPECT_EQ(get("file", "user.a"), "v");
    EXPECT_ERRNO(put("file", "user.a", "w"), EACCES);
    EXPECT_ERRNO(put("file", "user.new", "w"), EACCES);
    EXPECT_ERRNO(removexattr("file", "user.a"), EACCES);
  });
  ASSERT_OK(chmod("file", 0602));
  as_user(kAlice, [] {
    EXPECT_ERRNO(getxattr("file", "user.a", nullptr, 0), EACCES);
    EXPECT_EQ(list("file"), std::set<std::string>{"user.a"});  // names need no permission on the file
    EXPECT_OK(put("file", "user.a", "w"));
  });
  EXPECT_EQ(get("file", "user.a"), "w");
  ASSERT_OK(mkdir("tmp", 0777));
  ASSERT_OK(chmod("tmp", 01777));
  as_user(kAlice, [] { EXPECT_ERRNO(put("tmp", "user.a", "w"), EPERM, EACCES); });  // sticky: the owner only
}

TEST_F(Xattr, Errors) {
  EXPECT_ERRNO(put("absent", "user.a", "x"), ENOENT);
  EXPECT_ERRNO(put("file/x", "user.a", "x"), ENOTDIR);
  EXPECT_ERRNO(listxattr("absent", nullptr, 0), ENOENT);
}

}  // namespace
}  // namespace isthmus::conformance
