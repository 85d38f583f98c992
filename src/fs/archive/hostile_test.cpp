#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/archive/test_tools.h"

// Archives that nobody makes by accident, and the rules by which they are shown.
namespace isthmus::fs::archive {
namespace {

using namespace test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Hostile : public ::testing::Test {
 protected:
  std::unique_ptr<ArchiveFs> open() {
    fs_ = open_archive(path_);
    return std::move(fs_);
  }
  std::vector<std::string> names(ArchiveFs& fs) {
    std::vector<std::string> all;
    for (auto& [name, attr] : walk(fs)) all.push_back(name);
    return all;
  }
  Folder folder_;
  std::string path_ = folder_ / "a.tar";
  std::unique_ptr<ArchiveFs> fs_;
  LogCatcher log_;
};

TEST_F(Hostile, NamesThatLeaveTheTreeAreHiddenOrKeptInside) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED)
      .file("../up", "1")
      .file("a/../../b", "2")
      .file("..", "3")
      .file("/etc/x", "absolute")
      .file("./dot//double/./end", "d")
      .file("back\\slash", "b")
      .file("c:\\windows", "w")
      .file("..notup", "n")
      .close();
  auto fs = open();
  EXPECT_THAT(names(*fs), ElementsAre("..notup", "back\\slash", "c:\\windows", "dot", "dot/double", "dot/double/end",
                                      "etc", "etc/x"));
  EXPECT_EQ(*content(*fs, "etc/x"), "absolute");
  EXPECT_THAT(log_.text(), HasSubstr("3 entries with `..` in their name are hidden; the first is ../up"));
  auto up = call_and_wait(*fs, op::Lookup{{}, NodeId::root, ".."});
  ASSERT_TRUE(up.ok());
  EXPECT_EQ(up->node, NodeId::root);
}

TEST_F(Hostile, NothingIsPutBelowAFileOrASymlink) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED)
      .symlink("etc", "/etc")
      .file("etc/passwd", "evil")
      .file("f", "file")
      .file("f/below", "no")
      .file("f/far/below", "no")
      .close();
  auto fs = open();
  EXPECT_THAT(names(*fs), ElementsAre("etc", "f"));
  EXPECT_TRUE(S_ISLNK(find(*fs, "etc")->attr.mode));
  EXPECT_THAT(log_.text(), HasSubstr("3 entries below a file or a symbolic link are hidden; the first is etc/passwd"));
}

TEST_F(Hostile, TheLastOfOneNameWins) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED)
      .file("twice", "first")
      .link("other", "twice")
      .file("twice", "second, longer")
      .file("d/x", "x")
      .file("d", "not in the place of a directory")
      .file("g", "g")
      .dir("g")
      .file("g/in", "i")
      .dir("d", 0700)
      .symlink("twice", "s")
      .close();
  auto fs = open();
  EXPECT_THAT(names(*fs), ElementsAre("d", "d/x", "g", "g/in", "other", "twice"));
  EXPECT_EQ(find(*fs, "d")->attr.mode, S_IFDIR | 0700u);
  EXPECT_EQ(*content(*fs, "other"), "first");
  EXPECT_EQ(find(*fs, "other")->attr.nlink, 1u);
  EXPECT_TRUE(S_ISLNK(find(*fs, "twice")->attr.mode));
  EXPECT_THAT(log_.text(), HasSubstr("3 entries are in the place of an earlier one"));
  EXPECT_THAT(log_.text(), HasSubstr("1 files in the place of a directory are hidden; the first is d"));
}

TEST_F(Hostile, MissingParentsAreMadeUpAndDirectoriesMayComeLate) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED).file("a/b/c", "c").dir("a", 0750).dir(".", 0711).close();
  auto fs = open();
  EXPECT_EQ(find(*fs, "a")->attr.mode, S_IFDIR | 0750u);
  EXPECT_EQ(find(*fs, "a")->attr.mtime.sec, 1'000'000'000);
  EXPECT_EQ(find(*fs, "a/b")->attr.mode, S_IFDIR | 0755u);
  EXPECT_EQ(find(*fs, "a/b")->attr.mtime, fs->archive().file.mtime);
  EXPECT_EQ(find(*fs, "")->attr.mode, S_IFDIR | 0711u);
  EXPECT_EQ(find(*fs, "")->attr.nlink, 3u);
  EXPECT_EQ(find(*fs, "a")->attr.nlink, 3u);
}

TEST_F(Hostile, HardLinks) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED)
      .link("early", "late")
      .link("chain", "early")
      .file("late", "data")
      .dir("d")
      .link("to dir", "d")
      .link("lost", "nowhere")
      .link("loop1", "loop2")
      .link("loop2", "loop1")
      .link("self", "self")
      .link("../out", "late")
      .link("up", "../late")
      .close();
  auto fs = open();
  EXPECT_THAT(names(*fs), ElementsAre("chain", "d", "early", "late"));
  EXPECT_EQ(find(*fs, "late")->attr.nlink, 3u);
  EXPECT_EQ(find(*fs, "late")->node, find(*fs, "chain")->node);
  EXPECT_EQ(*content(*fs, "chain"), "data");
  EXPECT_THAT(log_.text(), HasSubstr("6 hard links to nothing are hidden"));
}

TEST_F(Hostile, LongNamesAndTargets) {
  std::string deep;
  for (int i = 0; i < 3000; i++) deep += "d/";
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
      .file(std::string(255, 'a'), "fits")
      .file(std::string(256, 'b'), "does not")
      .file("p/" + std::string(300, 'c') + "/q", "does not")
      .file(deep + "f", "too deep")
      .symlink("fits", std::string(4095, 't'))
      .symlink("long", std::string(4096, 't'))
      .close();
  auto fs = open();
  EXPECT_THAT(names(*fs), ElementsAre(std::string(255, 'a'), "fits"));
  EXPECT_THAT(log_.text(), HasSubstr("3 entries with a name or path that is too long are hidden"));
  EXPECT_EQ(find(*fs, "fits")->attr.size, 4095u);
  EXPECT_EQ(call_and_wait(*fs, op::Lookup{{}, NodeId::root, std::string(256, 'b')}).code(), ENAMETOOLONG);
}

TEST_F(Hostile, NamesThatAreNotText) {
  if (!have("tar")) GTEST_SKIP() << "needs tar";
  std::string bad = "caf\xe9 \xff\x01\n";
  std::filesystem::create_directories(folder_ / "src");
  write_file(folder_ / ("src/" + bad), "bytes");
  write_file(folder_ / "src/A", "upper");
  write_file(folder_ / "src/a", "lower");
  for (const char* format : {"gnu", "pax", "ustar"}) {
    ASSERT_TRUE(run(fmt::format("cd {}/src && tar --format={} -cf ../a.tar .", folder_.path(), format)));
    auto fs = open();
    EXPECT_THAT(names(*fs), ElementsAre("A", "a", bad)) << format;
    EXPECT_EQ(*content(*fs, bad), "bytes");
    EXPECT_EQ(*content(*fs, "A"), "upper");
  }
  EXPECT_EQ(log_.text(), "");
}

TEST_F(Hostile, EscapesDoNotReachTheTerminal) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED).file("../\x1b[2Jcls", "1").close();
  open();
  EXPECT_THAT(log_.text(), HasSubstr("../\\x1b[2Jcls"));
}

TEST_F(Hostile, OverlappingZipEntriesReadAsTheyAre) {
  if (!have("python3")) GTEST_SKIP() << "needs python3";
  // Two entries of the central directory that share one local header.
  write_file(folder_ / "make.py",
             "import zipfile, sys, copy\n"
             "z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n"
             "z.writestr('kernel', b'x' * 1000000)\n"
             "for i in range(50):\n"
             "  c = copy.copy(z.filelist[0]); c.filename = 'n%d' % i; z.filelist.append(c)\n"
             "z.close()\n");
  ASSERT_TRUE(run(fmt::format("python3 {}/make.py {}", folder_.path(), path_)));
  auto fs = open();
  for (auto& [name, attr] : walk(*fs)) EXPECT_EQ(*content(*fs, name), std::string(1'000'000, 'x')) << name;
}

TEST_F(Hostile, SymlinkLoopsAreShownAsTheyAre) {
  Maker(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED).symlink("a", "b").symlink("b", "a").symlink("c", "../../..").close();
  auto fs = open();
  EXPECT_EQ(*call_and_wait(*fs, op::Readlink{{}, find(*fs, "c")->node}), "../../..");
}

}  // namespace
}  // namespace isthmus::fs::archive
