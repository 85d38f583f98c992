#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/archive/test_tools.h"

// What is damaged answers EIO and says so; never other bytes than were put in.
namespace isthmus::fs::archive {
namespace {

using namespace test;
using ::testing::HasSubstr;

class Damage : public ::testing::Test {
 protected:
  void cut(const std::string& path, uint64_t size) { ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(size)), 0); }
  void flip(const std::string& path, uint64_t at) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    char c = 0;
    ASSERT_EQ(::pread(fd.get(), &c, 1, static_cast<off_t>(at)), 1);
    c = static_cast<char>(c ^ 0x55);
    ASSERT_EQ(::pwrite(fd.get(), &c, 1, static_cast<off_t>(at)), 1);
  }
  Folder folder_;
  std::string path_ = folder_ / "a";
  LogCatcher log_;
};

TEST_F(Damage, OpenErrorsNameFileReasonAndNextStep) {
  write_file(path_, "");
  EXPECT_THAT(open_error(path_), HasSubstr(path_ + ": the file is empty"));
  write_file(path_, "just a line of text\n");
  EXPECT_THAT(open_error(path_), HasSubstr("not an archive, damaged, or of a kind"));
  write_file(path_, random_bytes(100'000, 9));
  EXPECT_THAT(open_error(path_), HasSubstr("not an archive"));
  EXPECT_THAT(open_error(folder_ / "absent"), HasSubstr("check the path"));
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(open_error(folder_ / "fifo"), HasSubstr("not a regular file"));
}

TEST_F(Damage, AFileThatLooksLikeMtreeIsNotFollowed) {
  write_file(path_, "#mtree\n./passwd type=file contents=/etc/passwd size=10\n");
  EXPECT_THAT(open_error(path_), HasSubstr("not an archive"));
}

TEST_F(Damage, TarThatIsCutShort) {
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("a", "whole").file("b", random_bytes(300'000, 1)).file("c", "c").close();
  cut(path_, 200'000);
  auto fs = open_archive(path_);
  EXPECT_THAT(log_.text(), HasSubstr("damaged or cut short after entry 2"));
  EXPECT_EQ(*content(*fs, "a"), "whole");
  auto b = find(*fs, "b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->attr.size, 300'000u);
  EXPECT_EQ(*read_at(*fs, b->node, 0, 100'000), random_bytes(300'000, 1).substr(0, 100'000));
  EXPECT_EQ(read_at(*fs, b->node, 190'000, 100'000).code(), EIO);
  EXPECT_FALSE(find(*fs, "c"));
  EXPECT_TRUE(fs->archive().truncated);
}

TEST_F(Damage, CompressedTarThatIsCutShort) {
  for (int filter :
       {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4}) {
    SCOPED_TRACE(filter);
    // lz4 compresses 4 MiB at a time, and gives nothing of a block that is cut.
    size_t size = filter == ARCHIVE_FILTER_LZ4 ? 9'000'000 : 2'000'000;
    std::string big = random_bytes(size, 2);
    {
      Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, filter);
      m.file("a", "whole").file("b", big).file("c", "c").close();
    }
    cut(path_, size - size / 4);
    auto fs = open_archive(path_);
    EXPECT_EQ(*content(*fs, "a"), "whole");
    auto b = find(*fs, "b");
    ASSERT_TRUE(b);
    EXPECT_EQ(content(*fs, "b").code(), EIO);
    auto again = read_at(*fs, b->node, 0, 1000);  // what could be decoded before the cut, or nothing: not other bytes
    if (again) {
      EXPECT_EQ(*again, big.substr(0, 1000));
    }
    EXPECT_FALSE(find(*fs, "c"));
    EXPECT_THAT(log_.text(), HasSubstr("cannot read b: "));
  }
}

TEST_F(Damage, AZipEntryWithAWrongChecksum) {
  if (!have("zip")) GTEST_SKIP() << "needs zip";
  write_file(folder_ / "f", random_bytes(50'000, 3));
  write_file(folder_ / "g", text_bytes(400'000, 3));
  ASSERT_TRUE(run(fmt::format("cd {} && zip -q a.zip g", folder_.path())));
  auto size = std::filesystem::file_size(folder_ / "a.zip");
  flip(folder_ / "a.zip", size / 2);
  auto fs = open_archive(folder_ / "a.zip");
  std::string want = text_bytes(400'000, 3);
  EXPECT_EQ(content(*fs, "g").code(), EIO);
  EXPECT_EQ(read_at(*fs, find(*fs, "g")->node, 399'000, 10).code(), EIO);
  EXPECT_THAT(log_.text(), HasSubstr("cannot read g: "));
}

TEST_F(Damage, AChecksumThatIsWrongForGoodData) {
  if (!have("zip")) GTEST_SKIP() << "needs zip";
  write_file(folder_ / "g", text_bytes(100'000, 3));
  ASSERT_TRUE(run(fmt::format("cd {} && zip -q a.zip g", folder_.path())));
  std::string bytes = read_file(folder_ / "a.zip");
  size_t central = bytes.rfind("PK\x01\x02");
  ASSERT_NE(central, std::string::npos);
  flip(folder_ / "a.zip", central + 16);
  flip(folder_ / "a.zip", 14);
  auto fs = open_archive(folder_ / "a.zip");
  EXPECT_EQ(content(*fs, "g").code(), EIO);
}

TEST_F(Damage, ZipWithABrokenDirectory) {
  if (!have("zip")) GTEST_SKIP() << "needs zip";
  write_file(folder_ / "g", text_bytes(100'000, 3));
  write_file(folder_ / "h", "h");
  ASSERT_TRUE(run(fmt::format("cd {} && zip -q a.zip g h", folder_.path())));
  cut(folder_ / "a.zip", std::filesystem::file_size(folder_ / "a.zip") - 40);
  auto fs = open_archive(folder_ / "a.zip");  // read from the front then
  EXPECT_EQ(*content(*fs, "g"), text_bytes(100'000, 3));
  EXPECT_EQ(*content(*fs, "h"), "h");
}

TEST_F(Damage, DamageInTheMiddleOfACompressedTar) {
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ);
    m.file("a", "first").file("b", random_bytes(2'000'000, 4)).file("c", "last").close();
  }
  auto good = open_archive(path_);
  flip(path_, 1'000'000);
  EXPECT_EQ(content(*good, "b").code(), EIO);  // it was changed under us
  EXPECT_THAT(log_.text(), HasSubstr("was changed while in use; unmount it and mount it again"));
  auto fs = open_archive(path_);
  EXPECT_EQ(*content(*fs, "a"), "first");
  EXPECT_EQ(content(*fs, "b").code(), EIO);
  EXPECT_EQ(content(*fs, "b").code(), EIO);
  EXPECT_EQ(*content(*fs, "a"), "first");
}

TEST_F(Damage, HeadersThatClaimTooMuch) {
  // A ustar header by hand: size 0777777777777 octal (8 GiB less one), and base-256 sizes up to 2^63.
  for (const std::string& size :
       {std::string("77777777777 "), std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12),
        std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12)}) {
    std::string h(512, '\0');
    h.replace(0, 4, "huge");
    h.replace(100, 8, "0000644");
    h.replace(124, 12, size);
    h.replace(136, 12, "00000000000 ");
    h[156] = '0';
    h.replace(257, 8, std::string("ustar\00000", 8));
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < h.size(); i++)
      if (i < 148 || i >= 156) sum += static_cast<unsigned char>(h[i]);
    h.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    write_file(path_, h + "some data");
    OpenError error;
    auto fs = ArchiveFs::open(path_, {}, {}, error);
    if (!fs) {
      EXPECT_NE(error.text, "");
      continue;
    }
    for (auto& l : list(*fs, NodeId::root)) {
      EXPECT_EQ(read_at(*fs, NodeId{l.ino}, 1 << 20, 4096).code(), EIO);
      EXPECT_EQ(read_at(*fs, NodeId{l.ino}, INT64_MAX - 10, 4096).code() != ENOMEM, true);
    }
    auto stat = call_and_wait(*fs, op::Statfs{});
    EXPECT_TRUE(stat.ok());
  }
}

}  // namespace
}  // namespace isthmus::fs::archive
