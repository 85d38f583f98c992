#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "doors/webdav/archive_format.h"
#include "doors/webdav/test_door.h"

namespace isthmus::webdav {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Folder {
 public:
  Folder() { EXPECT_NE(mkdtemp(path_), nullptr); }
  ~Folder() { run("rm -rf " + std::string(path_)); }
  std::string operator/(const std::string& name) const { return std::string(path_) + "/" + name; }
  /// Output of a command, and "status N" at its end if it fails.
  static std::string run(const std::string& command) {
    std::string out;
    FILE* pipe = popen((command + " 2>&1").c_str(), "re");
    if (!pipe) return "status popen";
    char bytes[4096];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, pipe)) > 0;) out.append(bytes, n);
    if (int status = pclose(pipe); status != 0) out += "status " + std::to_string(status);
    return out;
  }

 private:
  char path_[30] = "/tmp/isthmus-test-XXXXXX";
};

void write_file(const std::string& path, std::string_view bytes) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  ASSERT_TRUE(fd);
  ASSERT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

bool has(const char* program) { return Folder::run(std::string("command -v ") + program).starts_with("/"); }

class ArchiveTest : public testing::DoorTest {
 protected:
  void make_tree() {
    ASSERT_EQ(ask("MKCOL", "/top").status, 201);
    ASSERT_EQ(ask("MKCOL", "/top/sub").status, 201);
    ASSERT_EQ(ask("PUT", "/top/a%20%C3%A4.txt", {{"X-OC-Mtime", "1000000000"}}, "hello").status, 201);
    ASSERT_EQ(ask("PUT", "/top/empty").status, 201);
    for (size_t i = 0; big_.size() < 700'000; ++i) big_ += std::to_string(i);
    ASSERT_EQ(ask("PUT", "/top/sub/" + long_, {}, big_).status, 201);
    auto top = call_and_wait(*fs_, op::Lookup{{}, NodeId::root, "top"});
    ASSERT_TRUE(top);
    for (auto made : {call_and_wait(*fs_, op::Symlink{{}, top->node, "link", "a target"}),
                      call_and_wait(*fs_, op::Mknod{{}, top->node, "pipe", S_IFIFO | 0600, 0})}) {
      ASSERT_TRUE(made);
      (void)call_and_wait(*fs_, op::Forget{{}, made->node, 1});
    }
    (void)call_and_wait(*fs_, op::Forget{{}, top->node, 1});
  }
  void expect_tree(const Folder& at) {
    EXPECT_EQ(Folder::run("cat '" + at / "top/a ä.txt" + "'"), "hello");
    EXPECT_EQ(Folder::run("stat -c %Y '" + at / "top/a ä.txt" + "'"), "1000000000\n");
    EXPECT_EQ(Folder::run("stat -c %s " + at / "top/empty"), "0\n");
    EXPECT_EQ(Folder::run("readlink " + at / "top/link"), "a target\n");
    EXPECT_EQ(Folder::run("cat " + at / ("top/sub/" + long_)), big_);
    EXPECT_EQ(Folder::run("ls " + at / "top"), "a ä.txt\nempty\nlink\nsub\n");
  }
  std::string big_;
  const std::string long_ = std::string(200, 'n');
};

TEST_F(ArchiveTest, UnzipReadsAFolder) {
  if (!has("unzip")) GTEST_SKIP() << "unzip is not installed";
  make_tree();
  auto got = ask("GET", "/top/?isthmus=zip");
  ASSERT_EQ(got.status, 200);
  EXPECT_EQ(got.field("content-type"), "application/zip");
  EXPECT_EQ(got.field("content-disposition"), "attachment; filename*=UTF-8''top.zip");
  EXPECT_EQ(got.field("content-security-policy"), "sandbox");
  Folder folder;
  write_file(folder / "a.zip", got.body);
  EXPECT_THAT(Folder::run("unzip -t " + folder / "a.zip"), HasSubstr("No errors detected"));
  EXPECT_THAT(Folder::run("export LC_ALL=C.UTF-8; unzip -q " + folder / "a.zip" + " -d " + folder / "out"), "");
  Folder::run("mv " + folder / "out/top" + " " + folder / "top");
  expect_tree(folder);
}

TEST_F(ArchiveTest, BsdtarReadsAFolder) {
  if (!has("bsdtar")) GTEST_SKIP() << "bsdtar is not installed";
  make_tree();
  for (const char* format : {"tar", "zip"}) {
    auto got = ask("GET", std::string("/top/?isthmus=") + format);
    ASSERT_EQ(got.status, 200);
    Folder folder;
    write_file(folder / "archive", got.body);
    EXPECT_EQ(Folder::run("export LC_ALL=C.UTF-8; bsdtar -xf " + folder / "archive" + " -C " + folder / ""), "");
    expect_tree(folder);
  }
}

TEST_F(ArchiveTest, IsOfFoldersOnly) {
  ASSERT_EQ(ask("PUT", "/a", {}, "x").status, 201);
  EXPECT_EQ(ask("GET", "/a?isthmus=zip").status, 404);
  EXPECT_EQ(ask("GET", "/none/?isthmus=zip").status, 404);
  EXPECT_EQ(ask("GET", "/?isthmus=rar").status, 404);
  EXPECT_EQ(ask("HEAD", "/?isthmus=tar").status, 200);
  EXPECT_EQ(ask("GET", "/?isthmus=zip", {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
}

TEST_F(ArchiveTest, WhatCannotBeOpenedIsNamed) {
  if (!has("unzip")) GTEST_SKIP() << "unzip is not installed";
  start({}, {}, "open:EACCES:count=1");
  ASSERT_EQ(ask("PUT", "/a", {}, "first").status, 201);
  auto got = ask("GET", "/?isthmus=zip");
  Folder folder;
  write_file(folder / "a.zip", got.body);
  EXPECT_THAT(Folder::run("unzip -p " + folder / "a.zip" + " files/isthmus-left-out.txt"),
              "files/a: Permission denied\n");
}

TEST_F(ArchiveTest, ABrokenFileCutsTheAnswer) {
  start({}, {}, "read:EIO");
  ASSERT_EQ(ask("PUT", "/a", {}, "content").status, 201);
  testing::Client client(port());
  client.send(text("GET", "/?isthmus=tar"));
  EXPECT_EQ(client.read().status, 0);
}

TEST_F(ArchiveTest, EndsWithItsClient) {
  for (int i = 0; i < 4; ++i)
    ASSERT_EQ(ask("PUT", "/f" + std::to_string(i), {}, std::string(16 << 20, 'x')).status, 201);
  const uint64_t before = fs_->counters().get(Op::Read);
  {
    testing::Client client(port());
    client.send(text("GET", "/?isthmus=tar"));
    usleep(200'000);
  }
  usleep(100'000);
  const uint64_t reads = fs_->counters().get(Op::Read) - before;
  EXPECT_LT(reads, 4u * 64);  // of 256 KiB: not all 64 MiB were read for nobody
}

TEST(ArchiveFormat, ChecksumsAreZips) {
  EXPECT_EQ(crc32(0, as_bytes(std::string_view("123456789"))), 0xcbf43926u);
  EXPECT_EQ(crc32(crc32(0, as_bytes(std::string_view("1234"))), as_bytes(std::string_view("56789"))), 0xcbf43926u);
  EXPECT_EQ(crc32(0, {}), 0u);
}

/// Holes in place of content.
TEST(ArchiveFormat, LargeFilesAndFarOnes) {
  if (!has("unzip") || !has("bsdtar")) GTEST_SKIP() << "unzip or bsdtar is not installed";
  Folder folder;
  const uint64_t large = (uint64_t{5} << 30) + 1, huge = uint64_t{9} << 30;
  for (bool zip : {true, false}) {
    const std::string path = folder / (zip ? "a.zip" : "a.tar");
    Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ZipFormat format;
    uint64_t at = 0;
    auto send = [&](std::string out, uint64_t hole) {
      ASSERT_EQ(pwrite(fd.get(), out.data(), out.size(), static_cast<off_t>(at)), static_cast<ssize_t>(out.size()));
      at += out.size() + hole;
    };
    for (auto [name, size] : {std::pair{"large", large}, std::pair{"huge", huge}, std::pair{"small", uint64_t{0}}}) {
      const ArchiveEntry entry{name, S_IFREG | 0644, 1'000'000'000, size, {}};
      std::string head, tail;
      if (zip) {
        format.begin(head, entry);
        format.end(tail, 0);
      } else {
        tar::begin(head, entry);
        tar::end(tail, size);
      }
      send(head, size);
      send(tail, 0);
    }
    std::string end;
    if (zip)
      format.finish(end);
    else
      tar::finish(end);
    send(end, 0);
    const std::string listing = Folder::run((zip ? "unzip -l " : "bsdtar -tvf ") + path);
    for (uint64_t size : {large, huge}) EXPECT_THAT(listing, HasSubstr(std::to_string(size)));
    EXPECT_THAT(listing, HasSubstr("small"));
    EXPECT_THAT(listing, Not(HasSubstr("status")));
    EXPECT_THAT(listing, Not(HasSubstr("warning")));
    if (!zip) continue;
    EXPECT_THAT(Folder::run("unzip -qt " + path + " small"), HasSubstr("No errors detected"));
  }
}

}  // namespace
}  // namespace isthmus::webdav
