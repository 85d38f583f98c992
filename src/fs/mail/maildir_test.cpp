#include "fs/mail/maildir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "fs/mail/test_tools.h"

namespace isthmus::fs::mail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct MaildirTest : ::testing::Test {
  MaildirTest() {
    make_maildir(box);
    deliver(box, "1000.a.host", message("first", "one\n"));
    put_file(box + "/cur/1001.b.host:2,S", message("second"));
    put_file(box + "/tmp/1002.c.host", message("not delivered yet"));
    put_file(box + "/cur/.hidden", "x");
    std::filesystem::create_directory(box + "/cur/folder");
  }
  TempFolder t;
  std::string box = t / "Maildir";
};

TEST_F(MaildirTest, AsInTheOldDays) {
  Mail mail(box);
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002"));
  EXPECT_EQ(mail.cat("001/Subject"), "first\n");
  EXPECT_EQ(mail.cat("002/Subject"), "second\n");
  EXPECT_THAT(mail.list("001"), ElementsAre("From", "Subject", "attachments", "body", "flags", "raw"));
  EXPECT_EQ(mail.cat("001/body"), "one\n");
  EXPECT_EQ(mail.cat("001/raw"), message("first", "one\n"));
  EXPECT_THAT(mail.list("001/attachments"), ElementsAre());
  EXPECT_THAT(mail.list("001/flags"),
              ElementsAre("answered", "deleted", "draft", "flagged", "forwarded", "list", "seen"));
  EXPECT_THAT(mail.list("001", 1), mail.list("001")) << "in pieces";
  EXPECT_THAT(mail.list("", 1), ElementsAre("001", "002"));
  EXPECT_EQ(mail.cat("003/Subject"), "error ENOENT");
  EXPECT_EQ(mail.cat("1/Subject"), "error ENOENT");
  EXPECT_EQ(mail.cat("001/Date"), "error ENOENT");
  auto dir = mail.find("001");
  ASSERT_TRUE(dir);
  EXPECT_EQ(dir->attr.mode, S_IFDIR | 0700u);
  EXPECT_EQ(dir->attr.mtime.sec, 1000);
  EXPECT_EQ(mail.find("001/..")->node, NodeId::root);
  EXPECT_EQ(mail.find("001/flags/..")->node, dir->node);
  EXPECT_EQ(mail.find("..")->node, NodeId::root);
}

TEST_F(MaildirTest, FlagsAreInTheName) {
  Mail mail(box);
  EXPECT_EQ(mail.cat("001/flags/seen"), "0\n");
  EXPECT_EQ(mail.put("001/flags/seen", "1\n"), 0);
  EXPECT_THAT(files_in(box + "/new"), ElementsAre());
  EXPECT_TRUE(std::filesystem::exists(box + "/cur/1000.a.host:2,S"));
  EXPECT_EQ(mail.cat("001/flags/seen"), "1\n");
  EXPECT_EQ(mail.put("001/flags/list", "+flagged +answered\n"), 0);
  EXPECT_TRUE(std::filesystem::exists(box + "/cur/1000.a.host:2,FRS"));
  EXPECT_EQ(mail.cat("001/flags/list"), "seen answered flagged\n");
  EXPECT_EQ(mail.put("001/flags/list", "draft"), 0);
  EXPECT_TRUE(std::filesystem::exists(box + "/cur/1000.a.host:2,D"));
  EXPECT_EQ(mail.put("001/flags/list", "nonsense"), EINVAL);
  EXPECT_EQ(mail.put("001/flags/seen", "2"), EINVAL);
  EXPECT_EQ(mail.put("001/Subject", "x"), EPERM);
  EXPECT_EQ(mail.put("001/raw", "x"), EPERM);
  EXPECT_EQ(mail.cat("001/Subject"), "first\n");
  // Others rename it meanwhile.
  std::filesystem::rename(box + "/cur/1000.a.host:2,D", box + "/cur/1000.a.host:2,DSab");
  EXPECT_EQ(mail.put("001/flags/draft", "0"), 0);
  EXPECT_TRUE(std::filesystem::exists(box + "/cur/1000.a.host:2,Sab"));
}

TEST_F(MaildirTest, NewsOfOthers) {
  Mail mail(box);
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002"));
  const auto first = mail.find("001");
  mail.ears.forget();
  deliver(box, "999.new.host", message("older by its name"));
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("entry 003"); }));
  EXPECT_EQ(mail.cat("003/Subject"), "older by its name\n");
  std::filesystem::rename(box + "/new/1000.a.host", box + "/cur/1000.a.host:2,S");
  const auto seen = message_node(raw(first->node) >> kFileBits, kFirstFlag);
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("node " + std::to_string(raw(seen))); }));
  EXPECT_EQ(mail.cat("001/flags/seen"), "1\n");
  EXPECT_EQ(mail.cat("001/Subject"), "first\n");
  EXPECT_EQ(mail.find("001")->node, first->node);
  std::filesystem::remove(box + "/cur/1000.a.host:2,S");
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("deleted 001"); }));
  EXPECT_THAT(mail.list(""), ElementsAre("002", "003"));
  deliver(box, "1000.a.host", message("of the same name as one that has gone"));
  EXPECT_THAT(mail.list(""), ElementsAre("002", "003", "004")) << "a number is never another's";
}

TEST_F(MaildirTest, OpenFilesOutliveTheirMessage) {
  Mail mail(box);
  auto n = mail.find("001/raw");
  ASSERT_TRUE(n);
  auto opened = mail.run(op::Open{{}, n->node, O_RDONLY, 7, false, 0});
  ASSERT_TRUE(opened);
  std::filesystem::remove(box + "/new/1000.a.host");
  EXPECT_THAT(mail.list(""), ElementsAre("002"));
  op::Read r;
  r.node = n->node;
  r.handle = opened->handle;
  r.size = 1000;
  auto got = mail.run(r);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), message("first", "one\n").size());
  op::Getattr g;
  g.node = n->node;
  g.handle = opened->handle;
  auto attr = mail.run(g);
  ASSERT_TRUE(attr) << "fstat(2)";
  EXPECT_EQ(attr->attr.size, message("first", "one\n").size());
  EXPECT_TRUE(mail.run(op::Release{{}, n->node, opened->handle, 0, 0, false, false}));
}

TEST_F(MaildirTest, RemovedMessagesGoToTrash) {
  Mail mail(box);
  EXPECT_EQ(mail.rmdir("001"), 0);
  EXPECT_THAT(mail.list(""), ElementsAre("002", "Trash"));
  EXPECT_THAT(files_in(box + "/.Trash/cur"), ElementsAre("1000.a.host:2,"));
  EXPECT_EQ(get_file(box + "/.Trash/cur/1000.a.host:2,"), message("first", "one\n"));
  EXPECT_EQ(mail.rm_r("002"), 0);
  EXPECT_THAT(mail.list(""), ElementsAre("Trash"));
  EXPECT_THAT(files_in(box + "/.Trash/cur"), ElementsAre("1000.a.host:2,", "1001.b.host:2,S"));
  EXPECT_THAT(mail.list("Trash"), ElementsAre("001", "002"));
  EXPECT_EQ(mail.cat("Trash/001/Subject"), "first\n");
  // Out of Trash there is no way back.
  EXPECT_EQ(mail.rm_r("Trash/001"), 0);
  EXPECT_EQ(mail.rmdir("Trash/002"), 0);
  EXPECT_THAT(mail.list("Trash"), ElementsAre());
  EXPECT_THAT(files_in(box + "/.Trash/cur"), ElementsAre());
  EXPECT_EQ(mail.rmdir("Trash"), EPERM);
  EXPECT_EQ(mail.rmdir("009"), ENOENT);
}

TEST_F(MaildirTest, AFileAloneIsNotLost) {
  Mail mail(box);
  EXPECT_EQ(mail.rm("001/Subject"), 0);
  EXPECT_EQ(mail.cat("001/Subject"), "error ENOENT") << "hidden for a while, as rm -r expects";
  EXPECT_THAT(mail.list("001"), Not(::testing::Contains("Subject")));
  EXPECT_EQ(mail.rm("001/Subject"), ENOENT);
  EXPECT_EQ(mail.rmdir("001/flags"), 0);
  EXPECT_EQ(mail.rmdir("001/body"), ENOTDIR);
  EXPECT_EQ(mail.rm("001/attachments"), EISDIR);
  EXPECT_EQ(mail.rm("001"), EISDIR);
  EXPECT_TRUE(std::filesystem::exists(box + "/new/1000.a.host"));
  EXPECT_EQ(mail.cat("002/Subject"), "second\n");
  Mail again(box);
  EXPECT_EQ(again.cat("001/Subject"), "first\n");
}

TEST_F(MaildirTest, TrashOnAnotherStore) {
  // /dev/shm is a tmpfs; where the test runs on one, too, this is a rename.
  std::string other = "/dev/shm/isthmus-mail-test-XXXXXX";
  if (!mkdtemp(other.data())) GTEST_SKIP() << "no /dev/shm here";
  make_maildir(other);
  std::filesystem::create_directory_symlink(other, box + "/.Trash");
  {
    Mail mail(box);
    EXPECT_EQ(mail.rmdir("002"), 0);
    EXPECT_THAT(files_in(other + "/cur"), ElementsAre("1001.b.host:2,S"));
    EXPECT_EQ(get_file(other + "/cur/1001.b.host:2,S"), message("second"));
    EXPECT_THAT(files_in(other + "/tmp"), ElementsAre());
    EXPECT_THAT(mail.list("Trash"), ElementsAre("001"));
  }
  std::filesystem::remove_all(other);
}

TEST_F(MaildirTest, TrashThatHoldsACopy) {
  make_maildir(box + "/.Trash");
  put_file(box + "/.Trash/cur/1000.a.host:2,", message("a copy"));
  Mail mail(box);
  EXPECT_EQ(mail.rmdir("001"), 0);
  EXPECT_EQ(files_in(box + "/.Trash/cur").size(), 2u);
  EXPECT_EQ(get_file(box + "/.Trash/cur/1000.a.host:2,"), message("a copy"));
}

TEST_F(MaildirTest, Folders) {
  make_maildir(box + "/.Sent");
  make_maildir(box + "/.Old.2024");
  make_maildir(box + "/.Entw&APw-rfe");
  make_maildir(box + "/.123");
  make_maildir(box + "/Plain/Below");
  make_maildir(box + "/Plain");
  deliver(box + "/.Old.2024", "5.x.host", message("old"));
  deliver(box + "/Plain/Below", "5.x.host", message("below"));
  Mail mail(box);
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002", "123", "Entw\xc3\xbcrfe", "Old", "Plain", "Sent"));
  EXPECT_THAT(mail.list("Old"), ElementsAre("2024"));
  EXPECT_EQ(mail.cat("Old/2024/001/Subject"), "old\n");
  EXPECT_EQ(mail.cat("Plain/Below/001/Subject"), "below\n") << "without a listing before";
  EXPECT_EQ(mail.find("")->attr.nlink, 2u + 5 + 2);
  make_maildir(box + "/.Later");
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("entry Later"); }));
  std::filesystem::remove_all(box + "/.Sent");
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("deleted Sent"); }));
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002", "123", "Entw\xc3\xbcrfe", "Later", "Old", "Plain"));
  make_maildir(box + "/.Sent");
  EXPECT_TRUE(within_a_minute([&] { return mail.find("Sent").ok(); }));
}

TEST_F(MaildirTest, NumbersOfFoldersAndMessages) {
  make_maildir(box + "/.003");
  Mail mail(box);
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002", "003"));
  EXPECT_THAT(mail.list("003"), ElementsAre());
  deliver(box, "2000.z.host", message("next"));
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002", "003", "004"));
  EXPECT_EQ(mail.cat("004/Subject"), "next\n");
  make_maildir(box + "/.004");
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("entry 004~"); }));
}

TEST_F(MaildirTest, OfItsOwnTrash) {
  make_maildir(box + "/.Old.Bin");
  MailOptions o;
  o.trash = "Old/Bin";
  Mail mail(box, o);
  EXPECT_EQ(mail.rmdir("001"), 0);
  EXPECT_THAT(files_in(box + "/.Old.Bin/cur"), ElementsAre("1000.a.host:2,"));
}

TEST_F(MaildirTest, ReadOnly) {
  MailOptions o;
  o.read_only = true;
  Mail mail(box, o);
  EXPECT_EQ(mail.rmdir("001"), EROFS);
  EXPECT_EQ(mail.rm("001/Subject"), EROFS);
  EXPECT_EQ(mail.put("001/flags/seen", "1"), EROFS);
  EXPECT_EQ(mail.find("001")->attr.mode, S_IFDIR | 0500u);
  EXPECT_EQ(mail.cat("001/Subject"), "first\n");
}

TEST_F(MaildirTest, NothingIsFollowed) {
  put_file(t / "secret", message("a secret"));
  std::filesystem::create_symlink(t / "secret", box + "/cur/1.link.host:2,");
  ASSERT_EQ(::mkfifo((box + "/cur/2.fifo.host:2,").c_str(), 0600), 0);
  Mail mail(box);
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002"));
}

TEST_F(MaildirTest, TenThousandAreNotRead) {
  constexpr int kMany = 10'000;
  // Files that nobody may read show as well: a listing does not look into them.
  for (int i = 0; i < kMany; i++) {
    const std::string name = box + "/cur/2000." + std::to_string(i) + ".host:2,S";
    const Fd fd(::open(name.c_str(), O_WRONLY | O_CREAT, 0));
    ASSERT_TRUE(fd);
  }
  Mail mail(box);
  const auto names = mail.list("", 100);
  ASSERT_EQ(names.size(), size_t{kMany} + 2);
  EXPECT_EQ(mail.find("10002")->attr.mtime.sec, 2000);
  EXPECT_TRUE(mail.find("999"));
  EXPECT_TRUE(mail.find("1000"));
  EXPECT_FALSE(mail.find("0999"));
}

TEST_F(MaildirTest, ManyAtOnce) {
  for (int i = 0; i < 50; i++) deliver(box, "3000." + std::to_string(i) + ".host", message("m" + std::to_string(i)));
  Mail mail(box);
  EXPECT_EQ(mail.list("").size(), 52u);
  std::atomic<int> removed{0};
  std::vector<std::thread> threads;
  for (int w = 0; w < 4; w++)
    threads.emplace_back([&, w] {
      for (uint32_t i = 1; i <= 52; i++) {
        const std::string name = number_name(i);
        if (w == 0) mail.put(name + "/flags/seen", "1");
        if (w == 1) mail.put(name + "/flags/list", "+flagged");
        if (w >= 2) removed += mail.rmdir(name) == 0;
      }
    });
  for (int i = 0; i < 20; i++) deliver(box, "4000." + std::to_string(i) + ".host", message("late"));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(removed, 52) << "each once";
  EXPECT_EQ(files_in(box + "/.Trash/cur").size(), 52u);
  EXPECT_EQ(mail.list("").size(), 21u) << "20 and the folder";
  EXPECT_EQ(mail.list("Trash").size(), 52u);
}

TEST(MaildirPlaces, WhatIsNone) {
  TempFolder t;
  auto no = MailFs::open(t.path(), {}, {});
  ASSERT_FALSE(no);
  EXPECT_EQ(no.problem().code, err(EBADMSG));
  make_maildir(t / "Inbox");
  make_maildir(t / "Sent");
  deliver(t / "Inbox", "1.a.host", message("in"));
  Mail mail(t.path());
  EXPECT_THAT(mail.list(""), ElementsAre("Inbox", "Sent"));
  EXPECT_EQ(mail.cat("Inbox/001/Subject"), "in\n");
  EXPECT_EQ(mail.rmdir("Inbox/001"), 0);
  EXPECT_THAT(mail.list(""), ElementsAre("Inbox", "Sent", "Trash"));
  EXPECT_THAT(files_in(t / "Trash/cur"), ElementsAre("1.a.host:2,"));
}

}  // namespace
}  // namespace isthmus::fs::mail
