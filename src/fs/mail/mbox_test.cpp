#include "fs/mail/mbox.h"

#include <sys/file.h>

#include "fs/mail/mbox_split.h"
#include "fs/mail/test_tools.h"

namespace isthmus::fs::mail {
namespace {

using ::testing::ElementsAre;

const std::string kFromLine = "From somebody@example.org Fri Jul  8 12:08:34 2011\n";

Result<std::vector<Facts>> split(std::string_view text) {
  std::vector<Facts> all;
  Status done = split_mbox(
      [&](uint64_t offset, MutableBytes to) -> Result<size_t> {
        const auto part = text.substr(std::min<size_t>(offset, text.size()), to.size());
        std::copy(part.begin(), part.end(), reinterpret_cast<char*>(to.data()));
        return part.size();
      },
      text.size(),
      [&](Facts f) {
        all.push_back(std::move(f));
        return true;
      });
  if (!done) return done.error();
  return all;
}

/// The messages' own bytes.
std::vector<std::string> texts(const std::string& mbox) {
  std::vector<std::string> out;
  auto all = split(mbox);
  if (!all) return {"error " + std::string(name_of(all.error()))};
  for (auto& f : *all) out.push_back(mbox.substr(f.offset, f.length));
  return out;
}

TEST(MboxSplit, Plain) {
  EXPECT_THAT(texts(""), ElementsAre());
  EXPECT_THAT(texts("\n\n"), ElementsAre());
  EXPECT_THAT(texts(kFromLine + "A: b\n\nx\n\n" + kFromLine + "C: d\n\ny\n"),
              ElementsAre("A: b\n\nx\n", "C: d\n\ny\n"));
  EXPECT_THAT(texts(kFromLine + "A: b\n\nx\n\n"), ElementsAre("A: b\n\nx\n")) << "the last one, too, has an empty line";
  EXPECT_THAT(texts(kFromLine + "A: b\n\n" + kFromLine + "C: d\n\n"), ElementsAre("A: b\n\n", "C: d\n\n")) << "no text";
  EXPECT_THAT(texts(kFromLine + "A: b\n\n\n" + kFromLine + "C: d\n\n\n"), ElementsAre("A: b\n\n", "C: d\n\n"));
  EXPECT_THAT(texts(kFromLine + "A: b\n\nno end of the line"), ElementsAre("A: b\n\nno end of the line"));
  EXPECT_THAT(texts(kFromLine), ElementsAre(""));
  EXPECT_THAT(texts("Subject: no mbox\n\n"), ElementsAre("error EBADMSG"));
  EXPECT_THAT(texts("From here on it is a letter\n"), ElementsAre("error EBADMSG"));
}

TEST(MboxSplit, WhatLooksLikeABeginning) {
  const std::string body =
      "x\nFrom the line before: no empty line\n\nFrom me to you: no date\n\n>From a b 12:08:34 2011\n";
  EXPECT_THAT(texts(kFromLine + "A: b\n\n" + body + "\n" + kFromLine + "C: d\n\ny\n"),
              ElementsAre("A: b\n\n" + body, "C: d\n\ny\n"));
  EXPECT_TRUE(is_from_line("From MAILER-DAEMON Fri Jul  8 12:08:34 2011"));
  EXPECT_TRUE(is_from_line("From \"a b\"@c Fri Jul  8 12:08 +0200 2011 remote from x"));
  EXPECT_FALSE(is_from_line("From: a@b 12:08:34 2011"));
  EXPECT_FALSE(is_from_line("From a@b 2011"));
  EXPECT_FALSE(is_from_line("From a@b at 12:08 on day 20113"));
  EXPECT_EQ(time_of_from_line("From a@b Fri Jul  8 12:08:34 2011")->sec, 1310126914);
  EXPECT_FALSE(time_of_from_line("From a@b yesterday 12:08 2011"));
}

TEST(MboxSplit, Crlf) {
  const std::string from = "From a@b Fri Jul  8 12:08:34 2011\r\n";
  EXPECT_THAT(texts(from + "A: b\r\n\r\nx\r\n\r\n" + from + "C: d\r\n\r\ny\r\n"),
              ElementsAre("A: b\r\n\r\nx\r\n", "C: d\r\n\r\ny\r\n"));
}

TEST(MboxSplit, ContentLength) {
  const std::string body = "x\n\n" + kFromLine + "not a message\n";
  const std::string head = "A: b\nContent-Length: " + std::to_string(body.size()) + "\n\n";
  auto all = split(kFromLine + head + body + "\n" + kFromLine + "C: d\n\ny\n");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].length, head.size() + body.size());
  EXPECT_EQ((*all)[0].place, kByLength);
  EXPECT_EQ((*all)[1].place, "");
  EXPECT_THAT(texts(kFromLine + head + body), ElementsAre(head + body)) << "up to the end";
  EXPECT_THAT(texts(kFromLine + head + body + "\n\n" + kFromLine + "\ny\n"), ElementsAre(head + body, "\ny\n"));
  // One that leads nowhere is not believed.
  for (const char* wrong : {"1", "2", "99999999", "18446744073709551615", "-1", "x", ""}) {
    const std::string h = std::string("A: b\nContent-Length: ") + wrong + "\n\n";
    EXPECT_THAT(texts(kFromLine + h + "xyz\n\n" + kFromLine + "C: d\n\ny\n"), ElementsAre(h + "xyz\n", "C: d\n\ny\n"))
        << wrong;
  }
}

TEST(MboxSplit, FlagsTimesAndIdentity) {
  const auto of = [](const std::string& head) { return (*split(kFromLine + head + "\nx\n"))[0]; };
  const Facts seen = of("A: b\nStatus: RO\nX-Status: AF\n");
  EXPECT_EQ(seen.flags, kSeen | kAnswered | kFlagged);
  EXPECT_EQ(seen.time.sec, 1310126914);
  const Facts fresh = of("A: b\n");
  EXPECT_EQ(seen.key, fresh.key) << "what programs write into the head does not make it another message";
  EXPECT_NE(seen.version, fresh.version);
  EXPECT_NE(fresh.key, of("A: c\n").key);
  const auto twice = split(kFromLine + "A: b\n\nx\n\n" + kFromLine + "A: b\n\nx\n");
  EXPECT_NE((*twice)[0].key, (*twice)[1].key);
  EXPECT_THAT(
      texts(kFromLine + "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n\nx\n\n" + kFromLine + "A: b\n\n"),
      ElementsAre("A: b\n\n"));
}

TEST(MboxSplit, LongLines) {
  const std::string wide(3'000'000, 'x');
  EXPECT_THAT(texts(kFromLine + "A: " + wide + "\n\n" + wide + "\n\n" + kFromLine + "C: d\n\ny\n"),
              ElementsAre("A: " + wide + "\n\n" + wide + "\n", "C: d\n\ny\n"));
}

std::string unquote(std::string_view text, size_t piece) {
  Unquoter u;
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) u.put(text.substr(at, piece), out);
  u.finish(out);
  return out;
}

TEST(MboxUnquote, WhateverThePieces) {
  for (const size_t piece : {1, 2, 5, 1000}) {
    EXPECT_EQ(unquote(">From a\n>>From b\n> From\n>Fro\n>>\nx>From\nFrom c\n>From", piece),
              "From a\n>From b\n> From\n>Fro\n>>\nx>From\nFrom c\n>From");
    EXPECT_EQ(unquote(">F>From a\n", piece), ">F>From a\n");
  }
}

TEST(MboxStore, AsFiles) {
  TempFolder t;
  put_file(t / "box", kFromLine + "Subject: one\nStatus: R\n\n>From here\n\n" + kFromLine + "Subject: two\n\nyes\n");
  Mail mail(t / "box");
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002"));
  EXPECT_EQ(mail.cat("001/Subject"), "one\n");
  EXPECT_EQ(mail.cat("001/body"), "From here\n");
  EXPECT_EQ(mail.cat("001/raw"), "Subject: one\nStatus: R\n\n>From here\n");
  EXPECT_EQ(mail.cat("001/flags/seen"), "1\n");
  EXPECT_EQ(mail.cat("002/flags/list"), "\n");
  EXPECT_TRUE(mail.fs->traits().read_only);
  EXPECT_EQ(mail.put("002/flags/seen", "1"), EROFS);
  EXPECT_EQ(mail.rmdir("001"), EROFS);
  EXPECT_EQ(mail.rm("001/Subject"), EROFS);
}

TEST(MboxStore, ChangesOfOthers) {
  TempFolder t;
  const std::string one = kFromLine + "Subject: one\n\n1\n\n", two = kFromLine + "Subject: two\n\n2\n\n",
                    three = kFromLine + "Subject: three\n\n3\n\n";
  put_file(t / "box", one + two);
  Mail mail(t / "box");
  EXPECT_THAT(mail.list(""), ElementsAre("001", "002"));
  EXPECT_EQ(mail.cat("002/Subject"), "two\n");
  mail.ears.forget();
  std::ofstream(t / "box", std::ios::app) << three;
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("entry 003"); }));
  EXPECT_EQ(mail.cat("003/body"), "3\n");
  // The first one goes and the second is marked, in a new file.
  put_file(t / "new", kFromLine + "Subject: two\nStatus: RO\n\n2\n\n" + three);
  std::filesystem::rename(t / "new", t / "box");
  EXPECT_TRUE(within_a_minute([&] { return mail.ears.heard("deleted 001"); }));
  EXPECT_THAT(mail.list(""), ElementsAre("002", "003"));
  EXPECT_EQ(mail.cat("002/Subject"), "two\n");
  EXPECT_EQ(mail.cat("002/Status"), "RO\n");
  EXPECT_EQ(mail.cat("002/flags/seen"), "1\n");
  EXPECT_EQ(mail.cat("001/Subject"), "error ENOENT");
  // A listing needs no watch.
  put_file(t / "box", one);
  EXPECT_THAT(mail.list(""), ElementsAre("004")) << "what went has gone, and so has its number";
  std::filesystem::remove(t / "box");
  EXPECT_THAT(mail.list(""), ElementsAre("error EIO"));
}

TEST(MboxStore, WaitsForAWriter) {
  TempFolder t;
  put_file(t / "box", kFromLine + "Subject: one\n\n1\n\n");
  Mail mail(t / "box");
  Fd writer(::open((t / "box").c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(writer.get(), F_OFD_SETLK, &lock), 0);
  std::thread lister([&] { EXPECT_THAT(mail.list(""), ElementsAre("001")); });
  const std::string half = kFromLine + "Subject: tw";
  EXPECT_EQ(::write(writer.get(), half.data(), half.size()), static_cast<ssize_t>(half.size()));
  const std::string rest = "o\n\n2\n\n";
  EXPECT_EQ(::write(writer.get(), rest.data(), rest.size()), static_cast<ssize_t>(rest.size()));
  EXPECT_EQ(::ftruncate(writer.get(), static_cast<off_t>(kFromLine.size() + 19)), 0);
  lock.l_type = F_UNLCK;
  EXPECT_EQ(::fcntl(writer.get(), F_OFD_SETLK, &lock), 0);
  lister.join();
}

TEST(MboxStore, IsOne) {
  TempFolder t;
  put_file(t / "text", "hello\n");
  auto no = MailFs::open(t / "text", {}, {});
  ASSERT_FALSE(no);
  EXPECT_EQ(no.problem().code, err(EBADMSG));
  EXPECT_FALSE(MailFs::open(t / "none", {}, {}));
  put_file(t / "empty", "");
  Mail mail(t / "empty");
  EXPECT_THAT(mail.list(""), ElementsAre());
}

}  // namespace
}  // namespace isthmus::fs::mail
