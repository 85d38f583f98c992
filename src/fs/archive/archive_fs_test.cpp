#include "fs/archive/archive_fs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "fs/archive/test_tools.h"

namespace isthmus::fs::archive {
namespace {

using namespace test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArchiveFiles : public ::testing::Test {
 protected:
  void pax(const std::function<void(struct archive*, struct archive_entry*)>& more) {
    Maker m(path_, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
    archive_entry* e = archive_entry_new();
    archive_entry_copy_pathname(e, "f");
    archive_entry_set_mode(e, S_IFREG | 04711);
    archive_entry_set_size(e, 0);
    more(m.raw(), e);
    must(archive_write_header(m.raw(), e) == ARCHIVE_OK, "header");
    archive_entry_free(e);
    m.close();
  }
  Folder folder_;
  std::string path_ = folder_ / "a.tar";
  LogCatcher log_;
};

TEST_F(ArchiveFiles, Attributes) {
  pax([](auto, auto* e) {
    archive_entry_set_uid(e, 1234);
    archive_entry_set_gid(e, 5678);
    archive_entry_set_mtime(e, -86'400, 500'000'000);
    archive_entry_set_atime(e, 1'700'000'000, 1);
    archive_entry_set_ctime(e, 1'600'000'000, 2);
    archive_entry_set_birthtime(e, -1'500'000'000, 3);
    archive_entry_xattr_add_entry(e, "user.note", "hello\0x", 7);
    archive_entry_xattr_add_entry(e, "security.empty", "", 0);
  });
  auto fs = open_archive(path_);
  Attr a = find(*fs, "f")->attr;
  EXPECT_EQ(a.mode, S_IFREG | 04711u);
  EXPECT_EQ(a.uid, 1234u);
  EXPECT_EQ(a.gid, 5678u);
  EXPECT_EQ(a.mtime, (Time{-86'400, 500'000'000}));
  EXPECT_EQ(a.atime, (Time{1'700'000'000, 1}));
  EXPECT_EQ(a.ctime, (Time{1'600'000'000, 2}));
  EXPECT_TRUE(a.has_btime);
  EXPECT_EQ(a.btime, (Time{-1'500'000'000, 3}));
  NodeId f = find(*fs, "f")->node;
  EXPECT_THAT(*call_and_wait(*fs, op::ListXattr{{}, f}),
              ::testing::UnorderedElementsAre("user.note", "security.empty"));
  EXPECT_EQ(*call_and_wait(*fs, op::GetXattr{{}, f, "user.note"}), std::string("hello\0x", 7));
  EXPECT_EQ(*call_and_wait(*fs, op::GetXattr{{}, f, "security.empty"}), "");
  EXPECT_EQ(call_and_wait(*fs, op::GetXattr{{}, f, "user.none"}).code(), ENODATA);
  EXPECT_FALSE(fs->traits().posix_acl);

  ArchiveOptions o;
  o.uid = 7;
  o.gid = 8;
  fs = open_archive(path_, o);
  EXPECT_EQ(find(*fs, "f")->attr.uid, 7u);
  EXPECT_EQ(find(*fs, "f")->attr.gid, 8u);
  EXPECT_EQ(find(*fs, "")->attr.uid, 7u);
}

TEST_F(ArchiveFiles, Acl) {
  pax([](auto, auto* e) {
    archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 6, ARCHIVE_ENTRY_ACL_USER, 1000, "u");
    archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 7, ARCHIVE_ENTRY_ACL_MASK, -1, "");
  });
  auto fs = open_archive(path_);
  EXPECT_TRUE(fs->traits().posix_acl);
  auto acl = call_and_wait(*fs, op::GetXattr{{}, find(*fs, "f")->node, "system.posix_acl_access"});
  ASSERT_TRUE(acl.ok());
  // version, then owner rwx, user 1000 rw-, group --x, mask rwx, others --x (linux/posix_acl_xattr.h)
  EXPECT_EQ(*acl, std::string("\2\0\0\0"
                              "\1\0\7\0\xff\xff\xff\xff"
                              "\2\0\6\0\xe8\3\0\0"
                              "\4\0\1\0\xff\xff\xff\xff"
                              "\x10\0\7\0\xff\xff\xff\xff"
                              "\x20\0\1\0\xff\xff\xff\xff",
                              44));
}

TEST_F(ArchiveFiles, SpecialFiles) {
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
    for (auto& [name, mode] : std::map<std::string, uint32_t>{
             {"null", S_IFCHR | 0666}, {"disk", S_IFBLK | 0660}, {"fifo", S_IFIFO | 0600}}) {
      archive_entry* e = archive_entry_new();
      archive_entry_copy_pathname(e, name.c_str());
      archive_entry_set_mode(e, mode);
      archive_entry_set_rdev(e, makedev(259, 70'000));
      archive_entry_set_size(e, 0);
      must(archive_write_header(m.raw(), e) >= ARCHIVE_WARN, name);
      archive_entry_free(e);
    }
    m.close();
  }
  auto fs = open_archive(path_);
  EXPECT_EQ(find(*fs, "null")->attr.mode, S_IFCHR | 0666u);
  EXPECT_EQ(find(*fs, "null")->attr.rdev, makedev(259, 70'000));
  EXPECT_EQ(find(*fs, "disk")->attr.mode, S_IFBLK | 0660u);
  EXPECT_EQ(find(*fs, "fifo")->attr.mode, S_IFIFO | 0600u);
  EXPECT_EQ(read_at(*fs, find(*fs, "fifo")->node, 0, 10).code(), EINVAL);  // kernels never ask
}

TEST_F(ArchiveFiles, ReadOnlyTraitsAndAnswers) {
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("f", "data").dir("d").symlink("l", "f").close();
  auto fs = open_archive(path_);
  EXPECT_TRUE(fs->traits().read_only);
  NodeId f = find(*fs, "f")->node, d = find(*fs, "d")->node, l = find(*fs, "l")->node;
  EXPECT_EQ(call_and_wait(*fs, op::Open{{}, f, O_RDWR}).code(), EROFS);
  EXPECT_EQ(call_and_wait(*fs, op::Open{{}, f, O_RDONLY | O_TRUNC}).code(), EROFS);
  EXPECT_EQ(call_and_wait(*fs, op::Open{{}, d, O_RDONLY}).code(), EISDIR);
  EXPECT_EQ(call_and_wait(*fs, op::OpenDir{{}, f}).code(), ENOTDIR);
  EXPECT_EQ(call_and_wait(*fs, op::Lookup{{}, f, "x"}).code(), ENOTDIR);
  EXPECT_EQ(call_and_wait(*fs, op::Readlink{{}, f}).code(), EINVAL);
  EXPECT_EQ(call_and_wait(*fs, op::Getattr{{}, NodeId{999}, {}}).code(), EIO);
  EXPECT_EQ(call_and_wait(*fs, op::Getattr{{}, NodeId{0}, {}}).code(), EIO);
  EXPECT_EQ(call_and_wait(*fs, op::Unlink{{}, NodeId::root, "f"}).code(), EROFS);
  EXPECT_EQ(call_and_wait(*fs, op::Mkdir{{}, NodeId::root, "x", 0755, {}}).code(), EROFS);
  EXPECT_EQ(call_and_wait(*fs, op::SetXattr{{}, f, "user.a", {}, 0, false}).code(), EROFS);
  EXPECT_EQ(call_and_wait(*fs, op::Setattr{}).code(), EROFS);
  EXPECT_EQ(*call_and_wait(*fs, op::Readlink{{}, l}), "f");
  auto opened = call_and_wait(*fs, op::Open{{}, f, O_RDONLY});
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(opened->flags & kOpenedKeepCache);
  auto dots = call_and_wait(*fs, op::Lookup{{}, d, ".."});
  EXPECT_EQ(dots->node, NodeId::root);
  auto none = call_and_wait(*fs, op::Lookup{{}, d, "none"});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->node, NodeId::none);
  EXPECT_EQ(none->entry_ttl, kForever);
}

TEST_F(ArchiveFiles, DirectReadsAreRangesOfTheArchive) {
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("f", random_bytes(100'000, 1)).close();
  auto fs = open_archive(path_);
  op::Read a;
  a.node = find(*fs, "f")->node;
  a.offset = 1000;
  a.size = 1 << 20;
  auto r = call_and_wait(*fs, a);
  ASSERT_TRUE(r.ok());
  ASSERT_EQ(r->segments().size(), 1u);
  auto* range = std::get_if<Buffer::FileRange>(&r->segments()[0]);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->offset, 512u + 1000);
  EXPECT_EQ(range->length, 99'000u);
}

TEST_F(ArchiveFiles, ListingsGoOnAnywhereInTheArchivesOrder) {
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR);
    for (int i = 0; i < 500; i++) m.file(fmt::format("d/{}", (i * 7919) % 500), "");
    m.close();
  }
  auto fs = open_archive(path_);
  NodeId d = find(*fs, "d")->node;
  for (size_t step : {size_t{1}, size_t{3}, size_t{100}, size_t{1000}}) {
    auto all = list(*fs, d, step);
    ASSERT_EQ(all.size(), 500u);
    for (size_t i = 0; i < 500; i++) EXPECT_EQ(all[i].name, fmt::format("{}", (i * 7919) % 500));
  }
}

TEST_F(ArchiveFiles, ExportHandlesOutliveTheProcessButNotTheArchive) {
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("f", "data").file("g", "other").close();
  ExportHandle h;
  {
    auto fs = open_archive(path_);
    h = *call_and_wait(*fs, op::NodeToExport{{}, find(*fs, "g")->node});
  }
  auto fs = open_archive(path_);
  auto e = call_and_wait(*fs, op::ExportToNode{{}, h});
  ASSERT_TRUE(e.ok());
  EXPECT_EQ(e->node, find(*fs, "g")->node);
  h.bytes[8] = std::byte{200};
  EXPECT_EQ(call_and_wait(*fs, op::ExportToNode{{}, h}).code(), ESTALE);
  h = *call_and_wait(*fs, op::NodeToExport{{}, find(*fs, "g")->node});
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("f", "data").file("g", "another").file("h", "h").close();
  fs = open_archive(path_);
  EXPECT_EQ(call_and_wait(*fs, op::ExportToNode{{}, h}).code(), ESTALE);
}

TEST_F(ArchiveFiles, ASingleCompressedFile) {
  if (!have("gzip") || !have("xz")) GTEST_SKIP() << "needs gzip and xz";
  std::string text = text_bytes(1'000'000, 1);
  write_file(folder_ / "notes.txt", text);
  write_file(folder_ / "empty", "");
  ASSERT_TRUE(run(fmt::format("cd {} && gzip -k notes.txt && xz -k notes.txt && gzip empty", folder_.path())));
  for (const char* name : {"notes.txt.gz", "notes.txt.xz"}) {
    auto fs = open_archive(folder_ / name);
    EXPECT_EQ(find(*fs, "notes.txt")->attr.size, 1'000'000u);
    EXPECT_TRUE(*content(*fs, "notes.txt") == text);
    EXPECT_EQ(fs->archive().format, "a single compressed file");
  }
  auto fs = open_archive(folder_ / "empty.gz");
  EXPECT_EQ(find(*fs, "empty")->attr.size, 0u);
  ASSERT_EQ(::truncate((folder_ / "notes.txt.gz").c_str(), 50'000), 0);
  fs = open_archive(folder_ / "notes.txt.gz");
  EXPECT_EQ(content(*fs, "notes.txt").code(), EIO);
}

TEST_F(ArchiveFiles, LibrariesOfObjects) {
  if (!have("ar")) GTEST_SKIP() << "needs ar";
  write_file(folder_ / "a-very-long-name-of-an-object-file.o", "object");
  write_file(folder_ / "b.o", random_bytes(5000, 1));
  ASSERT_TRUE(run(fmt::format("cd {} && ar rcs lib.a a-very-long-name-of-an-object-file.o b.o", folder_.path())));
  auto fs = open_archive(folder_ / "lib.a");
  EXPECT_EQ(*content(*fs, "a-very-long-name-of-an-object-file.o"), "object");
  EXPECT_TRUE(*content(*fs, "b.o") == random_bytes(5000, 1));
  EXPECT_EQ(log_.text(), "");
}

TEST_F(ArchiveFiles, Limits) {
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP);
    for (int i = 0; i < 20'000; i++) m.file(fmt::format("dir{}/file-with-a-name-{}", i % 10, i), "");
    std::string zeros;
    zeros.resize(20'000'000);
    m.file("zeros", zeros).close();
  }
  ArchiveOptions o;
  o.max_entries = 19'999;
  EXPECT_THAT(open_error(path_, o),
              HasSubstr("more than 19999 entries (max_entries); if you trust it, raise that limit"));
  o = {};
  o.max_index_memory = 1 << 20;
  EXPECT_THAT(open_error(path_, o), HasSubstr("needs more than 1 MiB of memory (max_index_memory)"));
  o = {};
  o.max_total = 10 << 20;
  EXPECT_THAT(open_error(path_, o), HasSubstr("raise max_total"));
  o = {};
  o.max_filters = 0;
  EXPECT_THAT(open_error(path_, o), HasSubstr("max_filters=0"));
}

TEST_F(ArchiveFiles, NestedCompressionIsBounded) {
  if (!have("gzip")) GTEST_SKIP() << "needs gzip";
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("f", "data").close();
  ASSERT_TRUE(run(fmt::format(
      "cd {} && gzip a.tar && mv a.tar.gz 1 && for i in 1 2 3 4 5 6; do gzip -c $i > $((i+1)); done", folder_.path())));
  EXPECT_EQ(*content(*open_archive(folder_ / "4"), "f"), "data");
  EXPECT_THAT(open_error(folder_ / "5"), HasSubstr("max_filters"));
}

TEST_F(ArchiveFiles, ProgressAndCancelling) {
  {
    Maker m(path_, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP);
    for (int i = 0; i < 2000; i++) m.file(fmt::format("{}", i), text_bytes(2000, static_cast<unsigned>(i)));
    m.close();
  }
  uint64_t last = 0, entries = 0, total = 0;
  ArchiveHooks h;
  h.progress = [&](uint64_t done, uint64_t all, uint64_t n) {
    EXPECT_GE(done, last);
    last = done;
    total = all;
    entries = n;
  };
  auto fs = open_archive(path_, {}, h);
  EXPECT_EQ(total, std::filesystem::file_size(path_));
  EXPECT_EQ(last, total);
  EXPECT_EQ(entries, 2000u);
  h.cancelled = [] { return true; };
  OpenError error;
  EXPECT_FALSE(ArchiveFs::open(path_, {}, h, error));
  EXPECT_EQ(error.code, err(EINTR));
}

TEST_F(ArchiveFiles, Statfs) {
  Maker(path_, ARCHIVE_FORMAT_TAR_USTAR).file("f", std::string(10'000, 'x')).dir("d").close();
  auto fs = open_archive(path_);
  auto s = call_and_wait(*fs, op::Statfs{});
  ASSERT_TRUE(s.ok());
  EXPECT_EQ(s->blocks, 3u);
  EXPECT_EQ(s->files, 3u);
  EXPECT_EQ(s->blocks_free, 0u);
}

TEST_F(ArchiveFiles, NamesInACharacterSet) {
  if (!have("python3")) GTEST_SKIP() << "needs python3";
  write_file(folder_ / "make.py",
             "import zipfile, sys\n"
             "class Z(zipfile.ZipInfo):\n"
             "  def _encodeFilenameFlags(self): return self.filename.encode('cp437'), self.flag_bits\n"
             "z = zipfile.ZipFile(sys.argv[1], 'w')\n"
             "z.writestr(Z('gr\\u00fcn'), b'green')\n"
             "z.close()\n");
  ASSERT_TRUE(run(fmt::format("python3 {}/make.py {}/a.zip", folder_.path(), folder_.path())));
  auto fs = open_archive(folder_ / "a.zip");
  EXPECT_EQ(*content(*fs, "gr\x81n"), "green");
  ArchiveOptions o;
  o.charset = "CP437";
  fs = open_archive(folder_ / "a.zip", o);
  EXPECT_EQ(*content(*fs, "gr\xc3\xbcn"), "green");
  o.charset = "no-such-set";
  EXPECT_THAT(open_error(folder_ / "a.zip", o), HasSubstr("character set no-such-set is not known"));
}

}  // namespace
}  // namespace isthmus::fs::archive
