#include "fs/ftp/ftp_fs.h"

#include "fs/ftp/test_ftp.h"

namespace isthmus::fs::ftp {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

TEST(FtpFs, ShowsWhatIsThere) {
  for (int form = 0; form < 3; form++) {
    TestServer::Options o;
    o.machine_lists = form == 0;
    o.dos = form == 2;
    o.zone = form == 0 ? 0 : 2 * 3600;
    Ftp f(o);
    f.server.put("/README", "hello");
    f.server.put("/.hidden", "x");
    f.server.make_folder("/dir");
    f.server.put("/dir/a b[c]*", pattern(300'000));
    if (form < 2) f.server.make_link("/link", "dir/a");
    auto all = f.list(NodeId::root);
    EXPECT_THAT(all.seen, Contains(Key("README")));
    EXPECT_THAT(all.seen, Contains(Key("dir")));
    EXPECT_EQ(all.seen.contains(".hidden"), form < 2);
    EXPECT_EQ(all.seen["dir"], static_cast<uint32_t>(DT_DIR));
    auto readme = f.lookup("README");
    ASSERT_TRUE(readme);
    EXPECT_EQ(readme->attr.size, 5u);
    EXPECT_EQ(readme->attr.ino, all.with["README"].attr.ino);
    EXPECT_EQ(readme->attr.mtime.sec / 60, 1'700'000'000 / 60) << form;
    EXPECT_EQ(readme->attr.uid, getuid());
    EXPECT_EQ(f.content("README").code(), 0);
    EXPECT_EQ(*f.content("README"), "hello");
    EXPECT_EQ(f.content("dir/a b[c]*", 5000).code(), 0);
    EXPECT_EQ(*f.content("dir/a b[c]*", 5000), pattern(300'000));
    EXPECT_EQ(f.lookup("none").code(), ENOENT);
    EXPECT_EQ(f.lookup("README/x").code(), ENOTDIR);
    EXPECT_EQ(f.list(NodeId::root, 1).seen.size(), all.seen.size());
    if (form < 2) {
      auto target = f.run(op::Readlink{{}, f.node("link")});
      ASSERT_TRUE(target);
      EXPECT_EQ(*target, "dir/a");
    }
  }
}

TEST(FtpFs, ATreeBeginsWhereItIsTold) {
  Ftp f;
  f.server.make_folder("/pub");
  f.server.make_folder("/pub/dir");
  f.server.put("/pub/dir/file", "x");
  f.server.make_link("/pub/dir/inside", "/pub/dir/file");
  f.server.make_link("/pub/dir/up", "../../etc");
  f.server.make_link("/pub/dir/outside", "/etc/passwd");
  f.fs->stop();
  f.mount(Ftp::quick(), "/pub");
  EXPECT_EQ(*f.content("dir/file"), "x");
  auto inside = f.run(op::Readlink{{}, f.node("dir/inside")});
  ASSERT_TRUE(inside);
  EXPECT_EQ(*inside, "../dir/file");
  // Followed by a kernel, these would lead to files of this machine.
  EXPECT_EQ(f.run(op::Readlink{{}, f.node("dir/up")}).code(), ENOENT);
  EXPECT_EQ(f.run(op::Readlink{{}, f.node("dir/outside")}).code(), ENOENT);
  Place p{.user = "", .host = "127.0.0.1", .port = f.server.port()};
  auto none = FtpFs::open(p, "/none", false, Ftp::quick(), {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.problem().code, err(ENOENT));
}

TEST(FtpFs, WritesBesideAndThenOver) {
  Ftp f;
  f.server.put("/old", "old content");
  f.server.put("/other", "");
  ASSERT_TRUE(f.lookup("old"));
  EXPECT_TRUE(f.store("new", "new content"));
  EXPECT_EQ(f.server.data("/new"), "new content");
  EXPECT_TRUE(f.store("old", "content"));
  EXPECT_EQ(f.server.data("/old"), "content");
  EXPECT_TRUE(f.store("empty", ""));
  EXPECT_TRUE(f.server.has("/empty"));
  EXPECT_THAT(f.server.names("/"), UnorderedElementsAre("empty", "new", "old", "other"));
  for (auto& c : f.server.commands())
    EXPECT_THAT(c, testing::AnyOf(Not(StartsWith("STOR")), StartsWith("STOR /.isthmus-")));
  EXPECT_EQ(f.lookup("old")->attr.size, 7u);
  EXPECT_EQ(*f.content("old"), "content");
}

TEST(FtpFs, WhatIsEmptiedToBeWrittenKeepsItsContentUntilThen) {
  Ftp f;
  f.server.put("/file", "old content");
  auto file = f.create("file", O_WRONLY | O_CREAT | O_TRUNC);
  ASSERT_TRUE(file);
  ASSERT_TRUE(f.flush(*file));  // of a descriptor that a shell has moved
  EXPECT_EQ(f.server.data("/file"), "old content");
  EXPECT_EQ(f.lookup("file")->attr.size, 0u);
  ASSERT_TRUE(f.write(*file, 0, "new"));
  ASSERT_TRUE(f.flush(*file));
  EXPECT_EQ(f.server.data("/file"), "new");
  f.release(*file);
  file = f.create("file", O_WRONLY | O_CREAT | O_TRUNC);
  ASSERT_TRUE(file);
  f.release(*file);
  EXPECT_TRUE(soon([&] { return f.server.data("/file").empty(); }));
  // Emptied and written again, a large one goes while it is written.
  f.server.put("/file", "old content");
  file = f.create("file", O_WRONLY | O_CREAT | O_TRUNC);
  ASSERT_TRUE(file);
  const std::string text = pattern(5 << 20);
  for (size_t at = 0; at < text.size(); at += 1 << 18)
    ASSERT_TRUE(f.write(*file, at, std::string_view(text).substr(at, 1 << 18)));
  EXPECT_EQ(f.server.data("/file"), "old content");
  const size_t before = f.server.count("STOR");
  ASSERT_TRUE(f.flush(*file));
  EXPECT_EQ(f.server.count("STOR"), before);
  EXPECT_TRUE(f.server.data("/file") == text);
  f.release(*file);
}

TEST(FtpFs, WhatOthersMakeMeanwhileIsTheirs) {
  Ftp f;
  EXPECT_EQ(f.lookup("file").code(), ENOENT);
  auto file = f.create("file", O_WRONLY | O_CREAT);
  ASSERT_TRUE(file);
  ASSERT_TRUE(f.write(*file, 0, "ours"));
  f.server.put("/file", "theirs");
  EXPECT_EQ(f.flush(*file).code(), EEXIST);
  EXPECT_EQ(f.server.data("/file"), "theirs");
  f.release(*file);
  EXPECT_THAT(f.server.names("/"), ElementsAre("file"));
  EXPECT_EQ(*f.content("file"), "theirs");
}

TEST(FtpFs, LargeFilesGoWhileTheyAreWritten) {
  Ftp f;
  const std::string text = pattern(6 << 20);
  auto file = f.create("large");
  ASSERT_TRUE(file);
  for (size_t at = 0; at < text.size(); at += 1 << 18)
    ASSERT_TRUE(f.write(*file, at, std::string_view(text).substr(at, 1 << 18)));
  // Most of it is there already, under another name.
  EXPECT_EQ(f.server.count("STOR"), 1u);
  EXPECT_FALSE(f.server.has("/large"));
  ASSERT_TRUE(f.flush(*file));
  EXPECT_TRUE(f.server.data("/large") == text);
  EXPECT_EQ(f.server.count("STOR"), 1u);
  f.release(*file);
  EXPECT_TRUE(*f.content("large") == text);
}

TEST(FtpFs, WhatWasSentAndChangesIsSentAgain) {
  Ftp f;
  std::string text = pattern(5 << 20);
  auto file = f.create("large");
  ASSERT_TRUE(file);
  for (size_t at = 0; at < text.size(); at += 1 << 18)
    ASSERT_TRUE(f.write(*file, at, std::string_view(text).substr(at, 1 << 18)));
  ASSERT_TRUE(f.write(*file, 10, "header"));
  text.replace(10, 6, "header");
  ASSERT_TRUE(f.flush(*file));
  EXPECT_TRUE(f.server.data("/large") == text);
  ASSERT_TRUE(f.write(*file, 20, "again"));
  text.replace(20, 5, "again");
  f.release(*file);
  EXPECT_TRUE(soon([&] { return f.server.data("/large") == text; }));
  EXPECT_EQ(f.server.names("/"), std::vector<std::string>{"large"});
}

TEST(FtpFs, AppendingSendsTheEndAlone) {
  Ftp f;
  f.server.put("/log", pattern(100'000));
  auto h = f.open(f.node("log"), O_WRONLY | O_APPEND);
  ASSERT_TRUE(h);
  const Ftp::File file{f.node("log"), *h};
  ASSERT_TRUE(f.write(file, 100'000, "one"));
  ASSERT_TRUE(f.flush(file));
  ASSERT_TRUE(f.write(file, 100'003, "two"));
  ASSERT_TRUE(f.flush(file));
  f.release(file);
  EXPECT_EQ(f.server.data("/log"), pattern(100'000) + "onetwo");
  EXPECT_EQ(f.server.count("RETR") + f.server.count("STOR"), 0u);
  EXPECT_EQ(f.lookup("log")->attr.size, 100'006u);
}

TEST(FtpFs, WritingIntoTheMiddleFetchesTheRest) {
  Ftp f;
  std::string text = pattern(100'000);
  f.server.put("/file", text);
  auto h = f.open(f.node("file"), O_RDWR);
  ASSERT_TRUE(h);
  const Ftp::File file{f.node("file"), *h};
  ASSERT_TRUE(f.write(file, 50'000, "middle"));
  text.replace(50'000, 6, "middle");
  EXPECT_EQ(*f.read(file, 49'990, 30), text.substr(49'990, 30));
  EXPECT_EQ(f.server.data("/file"), pattern(100'000));
  ASSERT_TRUE(f.run(op::Fsync{{}, file.node, file.handle, false}));
  EXPECT_TRUE(f.server.data("/file") == text);
  f.release(file);
  SetAttr shorter;
  shorter.mask = kSetSize;
  shorter.to.size = 60'000;
  ASSERT_TRUE(f.run(op::Setattr{{}, f.node("file"), {}, shorter}));
  EXPECT_EQ(f.server.data("/file"), text.substr(0, 60'000));
  shorter.to.size = 60'010;
  ASSERT_TRUE(f.run(op::Setattr{{}, f.node("file"), {}, shorter}));
  EXPECT_EQ(f.server.data("/file"), text.substr(0, 60'000) + std::string(10, '\0'));
}

TEST(FtpFs, ReadsAnywhere) {
  Ftp f;
  const std::string text = pattern(9 << 20);
  f.server.put("/file", text);
  const NodeId n = f.node("file");
  auto h = f.open(n, O_RDONLY);
  ASSERT_TRUE(h);
  const Ftp::File file{n, *h};
  uint32_t x = 1;
  for (int i = 0; i < 40; i++) {
    x = x * 1664525 + 1013904223;
    const size_t at = x % text.size();
    auto got = f.read(file, at, 70'000);
    ASSERT_TRUE(got) << at;
    EXPECT_TRUE(*got == text.substr(at, 70'000)) << at;
  }
  EXPECT_EQ(f.read(file, text.size() - 5, 100)->size(), 5u);
  EXPECT_EQ(f.read(file, text.size(), 100)->size(), 0u);
  EXPECT_EQ(f.read(file, text.size() + 1000, 100)->size(), 0u);
  f.release(file);
}

TEST(FtpFs, NamesChange) {
  Ftp f;
  f.server.put("/a", "a");
  f.server.put("/b", "b");
  ASSERT_TRUE(f.run(op::Mkdir{{}, NodeId::root, "dir", 0755, {}}));
  EXPECT_EQ(f.run(op::Mkdir{{}, NodeId::root, "dir", 0755, {}}).code(), EEXIST);
  const NodeId dir = f.node("dir");
  op::Rename r;
  r.dir = NodeId::root;
  r.name = "a";
  r.to_dir = dir;
  r.to_name = "moved";
  ASSERT_TRUE(f.run(r));
  EXPECT_EQ(f.server.data("/dir/moved"), "a");
  EXPECT_EQ(f.lookup("a").code(), ENOENT);
  EXPECT_EQ(*f.content("dir/moved"), "a");
  r = {};
  r.dir = dir;
  r.name = "moved";
  r.to_dir = NodeId::root;
  r.to_name = "b";
  r.flags = 1;  // RENAME_NOREPLACE
  EXPECT_EQ(f.run(r).code(), EEXIST);
  r.flags = 2;
  EXPECT_EQ(f.run(r).code(), EINVAL);
  r.flags = 0;
  ASSERT_TRUE(f.run(r));
  EXPECT_EQ(*f.content("b"), "a");
  EXPECT_EQ(f.run(op::Rmdir{{}, NodeId::root, "b"}).code(), ENOTDIR);
  EXPECT_EQ(f.run(op::Unlink{{}, NodeId::root, "dir"}).code(), EISDIR);
  ASSERT_TRUE(f.store("dir/x", "x"));
  EXPECT_EQ(f.run(op::Rmdir{{}, NodeId::root, "dir"}).code(), ENOTEMPTY);
  ASSERT_TRUE(f.run(op::Unlink{{}, dir, "x"}));
  ASSERT_TRUE(f.run(op::Rmdir{{}, NodeId::root, "dir"}));
  EXPECT_EQ(f.run(op::Rmdir{{}, NodeId::root, "dir"}).code(), ENOENT);
  EXPECT_EQ(f.run(op::Unlink{{}, NodeId::root, "none"}).code(), ENOENT);
  EXPECT_THAT(f.server.names("/"), ElementsAre("b"));
}

TEST(FtpFs, AServerThatRenamesOverNothingIsHelped) {
  TestServer::Options o;
  o.rename_over = false;
  Ftp f(o);
  f.server.put("/file", "old");
  EXPECT_TRUE(f.store("file", "new"));
  EXPECT_EQ(f.server.data("/file"), "new");
  EXPECT_THAT(f.server.names("/"), ElementsAre("file"));
}

TEST(FtpFs, AServerThatWantsNoDotsIsHelped) {
  TestServer::Options o;
  o.dot_files = false;
  Ftp f(o);
  EXPECT_TRUE(f.store("file", "new"));
  EXPECT_EQ(f.server.data("/file"), "new");
  EXPECT_THAT(f.server.names("/"), ElementsAre("file"));
}

TEST(FtpFs, WithoutBesideItIsWrittenInPlace) {
  FtpOptions options = Ftp::quick();
  options.in_place = true;
  Ftp f({}, options);
  f.server.put("/file", "old");
  EXPECT_TRUE(f.store("file", "new"));
  EXPECT_EQ(f.server.data("/file"), "new");
  EXPECT_EQ(f.server.count("RNFR"), 0u);
}

TEST(FtpFs, TimesAndPermissionsAreKept) {
  Ftp f;
  f.server.put("/file", "x");
  SetAttr set;
  set.mask = kSetMode | kSetMtime;
  set.to.mode = 0600;
  set.to.mtime = {1'600'000'000, 5};
  auto r = f.run(op::Setattr{{}, f.node("file"), {}, set});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->attr.mtime.sec, 1'600'000'000);
  EXPECT_EQ(f.server.file("/file").mode, 0600u);
  EXPECT_EQ(f.server.file("/file").time, 1'600'000'000);
  // A new content keeps the permissions, and a time that is set before the file is closed.
  auto file = f.create("file", O_WRONLY | O_TRUNC);
  ASSERT_TRUE(file);
  ASSERT_TRUE(f.write(*file, 0, "new"));
  set.mask = kSetMtime;
  ASSERT_TRUE(f.run(op::Setattr{{}, file->node, file->handle, set}));
  ASSERT_TRUE(f.flush(*file));
  f.release(*file);
  EXPECT_EQ(f.server.data("/file"), "new");
  EXPECT_EQ(f.server.file("/file").mode, 0600u);
  EXPECT_EQ(f.server.file("/file").time, 1'600'000'000);
  auto made = f.create("program", O_WRONLY | O_CREAT | O_EXCL, 0755);
  ASSERT_TRUE(made);
  ASSERT_TRUE(f.flush(*made));
  f.release(*made);
  EXPECT_EQ(f.server.file("/program").mode, 0755u);
  EXPECT_EQ(f.create("program", O_WRONLY | O_CREAT | O_EXCL).code(), EEXIST);
  auto folder = f.run(op::Mkdir{{}, NodeId::root, "private", 0700, {}});
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->attr.mode, S_IFDIR | 0700u);
  EXPECT_EQ(f.server.file("/private").mode, 0700u);
}

TEST(FtpFs, WhatTheServerCannotDoIsSaid) {
  TestServer::Options o;
  o.chmod = o.set_time = o.append = o.restart = o.machine_lists = false;
  Ftp f(o);
  f.server.put("/file", pattern(3 << 20));
  SetAttr set;
  set.mask = kSetMode;
  set.to.mode = 0600;
  EXPECT_EQ(f.run(op::Setattr{{}, f.node("file"), {}, set}).code(), EOPNOTSUPP);
  set.mask = kSetMtime;
  set.to.mtime = {5, 0};
  EXPECT_EQ(f.run(op::Setattr{{}, f.node("file"), {}, set}).code(), EOPNOTSUPP);
  set.mask = kSetUid;
  set.to.uid = getuid() + 1;
  EXPECT_EQ(f.run(op::Setattr{{}, f.node("file"), {}, set}).code(), EPERM);
  // Without REST it is read from the beginning, without APPE sent as a whole.
  auto h = f.open(f.node("file"), O_RDWR);
  const Ftp::File file{f.node("file"), *h};
  EXPECT_EQ(*f.read(file, 2 << 20, 100), pattern(3 << 20).substr(2 << 20, 100));
  ASSERT_TRUE(f.write(file, 3 << 20, "end"));
  ASSERT_TRUE(f.flush(file));
  f.release(file);
  EXPECT_EQ(f.server.data("/file"), pattern(3 << 20) + "end");
}

TEST(FtpFs, NamesThatWouldBeCommandsAreRefused) {
  Ftp f;
  f.server.put("/file", "x");
  const std::string name = "x\r\nDELE file";
  EXPECT_EQ(f.run(op::Lookup{{}, NodeId::root, name}).code(), EINVAL);
  EXPECT_EQ(f.run(op::Mkdir{{}, NodeId::root, name, 0755, {}}).code(), EINVAL);
  EXPECT_EQ(f.run(op::Unlink{{}, NodeId::root, name}).code(), EINVAL);
  EXPECT_EQ(f.create(name).code(), EINVAL);
  op::Rename r;
  r.dir = r.to_dir = NodeId::root;
  r.name = "file";
  r.to_name = name;
  EXPECT_EQ(f.run(r).code(), EINVAL);
  EXPECT_EQ(f.server.count("DELE"), 0u);
}

TEST(FtpFs, AnOpenFileThatIsRemovedIsReadOn) {
  Ftp f;
  f.server.put("/file", pattern(8 << 20));
  auto h = f.open(f.node("file"), O_RDONLY);
  const Ftp::File file{f.node("file"), *h};
  ASSERT_TRUE(f.read(file, 0, 1000));
  ASSERT_TRUE(f.run(op::Unlink{{}, NodeId::root, "file"}));
  EXPECT_EQ(f.lookup("file").code(), ENOENT);
  EXPECT_THAT(f.list(NodeId::root).seen, UnorderedElementsAre(Key("."), Key("..")));
  auto end = f.read(file, (8 << 20) - 100, 100);
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, pattern(8 << 20).substr((8 << 20) - 100));
  f.release(file);
  EXPECT_TRUE(soon([&] { return f.server.names("/").empty(); }));
}

TEST(FtpFs, ReadOnlyChangesNothing) {
  FtpOptions options = Ftp::quick();
  options.read_only = true;
  Ftp f({}, options);
  f.server.put("/file", "x");
  EXPECT_TRUE(f.fs->traits().read_only);
  EXPECT_EQ(f.create("new").code(), EROFS);
  EXPECT_EQ(f.open(f.node("file"), O_RDWR).code(), EROFS);
  EXPECT_EQ(f.run(op::Unlink{{}, NodeId::root, "file"}).code(), EROFS);
  EXPECT_EQ(*f.content("file"), "x");
}

TEST(FtpFs, WhatOthersChangeIsSeen) {
  FtpOptions options = Ftp::quick();
  options.cache_ms = 0;
  Ftp f({}, options);
  f.server.put("/file", "x");
  EXPECT_EQ(f.lookup("file")->attr.size, 1u);
  f.server.put("/file", "longer");
  f.server.put("/second", "");
  EXPECT_EQ(f.lookup("file")->attr.size, 6u);
  EXPECT_EQ(*f.content("file"), "longer");
  EXPECT_TRUE(f.lookup("second"));
  EXPECT_THAT(f.list(NodeId::root).seen, Contains(Key("second")));
}

}  // namespace
}  // namespace isthmus::fs::ftp
