// The pieces: flags, names, charsets, heads.
#include "fs/mail/charset.h"
#include "fs/mail/flags.h"
#include "fs/mail/headers.h"
#include "fs/mail/maildir_names.h"
#include "fs/mail/names.h"
#include "fs/mail/test_tools.h"

namespace isthmus::fs::mail {
namespace {

using ::testing::ElementsAre;

constexpr const char* kBad = "\xef\xbf\xbd";

TEST(MailFlags, OfMaildirs) {
  EXPECT_EQ(flags_of_letters("FS"), kFlagged | kSeen);
  EXPECT_EQ(letters_with("", kSeen | kFlagged | kDraft), "DFS");
  EXPECT_EQ(letters_with("aSb", kAnswered), "Rab") << "letters of others stay";
  EXPECT_EQ(letters_with("SSz", kSeen), "Sz");
  const auto name = MessageName::of("cur/1.M2.host:2,FS");
  EXPECT_EQ(name.key, "1.M2.host");
  EXPECT_EQ(name.letters, "FS");
  EXPECT_EQ(MessageName::of("new/plain").key, "plain");
  EXPECT_EQ(MessageName::of("cur/x:1,exp").letters, "");
}

TEST(MailFlags, OfImapAndMbox) {
  EXPECT_EQ(flag_of_imap("\\SEEN"), kSeen);
  EXPECT_EQ(flag_of_imap("$Forwarded"), kForwarded);
  EXPECT_EQ(flag_of_imap("\\Recent"), 0);
  EXPECT_EQ(flags_of_status("RO", "AF"), kSeen | kAnswered | kFlagged);
  EXPECT_EQ(flags_of_status("O", ""), 0);
}

TEST(MailFlags, Lists) {
  EXPECT_EQ(list_text(kSeen | kDeleted, "$Label1 Junk"), "seen deleted $Label1 Junk\n");
  EXPECT_EQ(list_text(0, ""), "\n");
  auto c = parse_flag_list("+seen -flagged\n", "");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->set, kSeen);
  EXPECT_EQ(c->clear, kFlagged);
  c = parse_flag_list("seen, \\Answered", "");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->set, kSeen | kAnswered);
  EXPECT_EQ(c->clear, kFlagged | kDraft | kForwarded | kDeleted);
  c = parse_flag_list("seen $Label1", "$Label1");
  ASSERT_TRUE(c) << "a keyword that is there";
  c = parse_flag_list("\n", "");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->clear, 63);
  EXPECT_FALSE(parse_flag_list("unheard-of", ""));
  EXPECT_FALSE(parse_flag_list("+$Label1", "$Label1"));
  EXPECT_EQ(parse_flag_value("1\n"), true);
  EXPECT_EQ(parse_flag_value(" 0 "), false);
  EXPECT_FALSE(parse_flag_value("10"));
  EXPECT_FALSE(parse_flag_value(""));
  EXPECT_FALSE(parse_flag_value("1 0"));
}

TEST(MailNames, Safe) {
  EXPECT_EQ(safe_name("report.pdf", "x"), "report.pdf");
  EXPECT_EQ(safe_name("../../etc/passwd", "x"), "_._.._etc_passwd");
  EXPECT_EQ(safe_name(".", "x"), "_");
  EXPECT_EQ(safe_name("..", "x"), "_.");
  EXPECT_EQ(safe_name("", "part-1.bin"), "part-1.bin");
  EXPECT_EQ(safe_name("  ", "part-1.bin"), "part-1.bin");
  EXPECT_EQ(safe_name(".bashrc", "x"), "_bashrc");
  EXPECT_EQ(safe_name(std::string_view("a\0b\nc\x1b[1m", 8), "x"), "a_b_c_[1");
  EXPECT_EQ(safe_name("\xff\xfe", "x"), std::string(kBad) + kBad);
  EXPECT_EQ(safe_name("exe\xe2\x80\xaegpj.scr", "x"), "exe_gpj.scr") << "text that is turned around";
  const std::string longest = safe_name(std::string(300, 'a') + ".tar.gz", "x");
  EXPECT_EQ(longest.size(), 255u);
  EXPECT_TRUE(longest.ends_with(".gz"));
  std::string wide;
  for (int i = 0; i < 200; i++) wide += "\xc3\xa4";
  EXPECT_LE(safe_name(wide, "x").size(), 255u);
  EXPECT_EQ(scrub_utf8(safe_name(wide, "x")), safe_name(wide, "x")) << "cut inside a character";
}

TEST(MailNames, Unique) {
  UniqueNames names;
  EXPECT_EQ(names.add("a.txt"), "a.txt");
  EXPECT_EQ(names.add("A.TXT"), "A~2.TXT");
  EXPECT_EQ(names.add("a.txt"), "a~3.txt");
  EXPECT_EQ(names.add("a~2.txt"), "a~2~2.txt");
  const std::string longest(255, 'b');
  EXPECT_EQ(names.add(longest), longest);
  EXPECT_EQ(names.add(longest), std::string(253, 'b') + "~2");
}

TEST(MailNames, OfMailboxes) {
  EXPECT_EQ(utf8_of_mailbox("Entw&APw-rfe"), "Entw\xc3\xbcrfe");
  EXPECT_EQ(utf8_of_mailbox("R&-D"), "R&D");
  EXPECT_EQ(mailbox_of_utf8("Entw\xc3\xbcrfe R&D"), "Entw&APw-rfe R&-D");
  const std::string peking = "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e";
  EXPECT_EQ(mailbox_of_utf8(peking), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
  EXPECT_EQ(utf8_of_mailbox(mailbox_of_utf8(peking)), peking);
  EXPECT_EQ(utf8_of_mailbox(mailbox_of_utf8("\xf0\x9f\x93\xa7")), "\xf0\x9f\x93\xa7");
  for (const char* bad : {"&", "&AAA", "&A-", "&AAA=-", "a\x01", "&2D0-", "caf\xc3\xa9"})
    EXPECT_FALSE(utf8_of_mailbox(bad)) << bad;
}

TEST(MailNames, Numbers) {
  EXPECT_EQ(number_name(1), "001");
  EXPECT_EQ(number_name(1000), "1000");
  EXPECT_EQ(number_of_name("001"), 1u);
  EXPECT_EQ(number_of_name("1000"), 1000u);
  for (const char* bad : {"1", "0001", "000", "01", "abc", "99999999999", "4294967296"})
    EXPECT_FALSE(number_of_name(bad)) << bad;
}

std::string decode(std::string_view charset, std::string_view text, size_t piece) {
  TextDecoder d(charset);
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) d.put(text.substr(at, piece), out);
  d.finish(out);
  return out;
}

TEST(MailCharsets, WhateverThePieces) {
  for (const size_t piece : {1, 2, 3, 7, 1000}) {
    EXPECT_EQ(decode("utf-8", "gr\xc3\xbc\xc3\x9f\r\ne\r\r\n", piece), "gr\xc3\xbc\xc3\x9f\ne\r\n");
    EXPECT_EQ(decode("", "a\xff z", piece), std::string("a") + kBad + " z");
    EXPECT_EQ(decode("ISO-8859-1", "gr\xfc\xdf", piece), "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(decode("windows-1252", "\x80 5", piece), "\xe2\x82\xac 5");
    EXPECT_EQ(decode("iso-2022-jp", "\x1b$B$3$l\x1b(B!", piece), "\xe3\x81\x93\xe3\x82\x8c!");
    EXPECT_EQ(decode("utf-16le", std::string_view("a\0\xac\x20", 4), piece), "a\xe2\x82\xac");
    EXPECT_EQ(decode("utf-8", "cut \xe2\x82", piece), std::string("cut ") + kBad + kBad) << piece;
    EXPECT_EQ(decode("shift_jis", "ok \x81", piece), std::string("ok ") + kBad);
    EXPECT_EQ(decode("gb18030", "\xff\xffz", piece), std::string(kBad) + kBad + "z");
  }
  EXPECT_EQ(decode("../../../lib/evil", "plain", 3), "plain");
  EXPECT_EQ(decode("no-such-charset", "caf\xe9", 3), std::string("caf") + kBad);
  EXPECT_EQ(decode("utf-8//IGNORE", "caf\xe9", 9), std::string("caf") + kBad);
}

HeaderNames g_names;

std::map<std::string, std::string> files(std::string_view head) {
  std::map<std::string, std::string> all;
  const auto made = HeaderFiles::of(head, g_names);
  for (auto& f : made.files()) {
    EXPECT_EQ(made.find(f.number), &f);
    all[g_names.name_of(f.number)] = f.text;
  }
  return all;
}

TEST(MailHeads, AsFiles) {
  auto f = files(
      "SUBJECT: one\r\n two\r\nreceived: a\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nReceived: b\r\n"
      "X-Own: x\r\n\r\nSubject: not this\r\n");
  EXPECT_EQ(f.size(), 4u);
  EXPECT_EQ(f["Subject"], "one two\n");
  EXPECT_EQ(f["Received"], "a\nb\n");
  EXPECT_EQ(f["From"], "J\xc3\xb6rg <j@example.org>\n");
  EXPECT_EQ(f["X-Own"], "x\n");
}

TEST(MailHeads, Subjects) {
  EXPECT_EQ(files("From: a\n\n")["Subject"], "(none)\n");
  EXPECT_EQ(files("")["Subject"], "(none)\n");
  EXPECT_EQ(files("Subject:\n\n")["Subject"], "(none)\n");
  EXPECT_EQ(files("Subject: =?iso-8859-1?b?Z3L832U=?=\n\n")["Subject"],
            "gr\xc3\xbc\xc3\x9f"
            "e\n");
  EXPECT_EQ(files("Subject: =?utf-8?q?a?= =?utf-8?q?b?=\n\n")["Subject"], "ab\n");
  EXPECT_EQ(files("Subject: gr\xc3\xbc\xc3\x9f\n\n")["Subject"], "gr\xc3\xbc\xc3\x9f\n");
}

TEST(MailHeads, NothingForATerminal) {
  EXPECT_EQ(files("Subject: a\x1b[31mb\n\n")["Subject"], std::string("a") + kBad + "[31mb\n");
  EXPECT_EQ(files("Subject: =?utf-8?q?a=0Ab=1B=C2=9B?=\n\n")["Subject"],
            std::string("a") + kBad + "b" + kBad + kBad + "\n");
  const std::string nul = files(std::string_view("Subject: a\0b\n\n", 14))["Subject"];
  EXPECT_EQ(nul, "a b\n");
  for (auto& [name, text] : files("Subject: =?no-such-charset?q?caf=E9?=\nFrom: =?utf-8?b?////?=\nTo: \xff\xfe\n\n"))
    EXPECT_EQ(scrub_utf8(text), text) << name;
}

TEST(MailHeads, NamesOfOthers) {
  auto f = files("raw: x\nBODY: y\n../../evil: z\n.hidden: h\n: none\n bad name: q\nno colon\nok: 1\n\n");
  EXPECT_EQ(f["header-raw"], "x\n");
  EXPECT_EQ(f["header-BODY"], "y\n");
  EXPECT_EQ(f["_._.._evil"], "z\n");
  EXPECT_EQ(f["_hidden"], "h\n");
  EXPECT_EQ(f["ok"], "1\n");
  EXPECT_EQ(f.size(), 6u) << "with the subject";
}

TEST(MailHeads, Bounds) {
  std::string many;
  for (int i = 0; i < 5000; i++) many += "X-" + std::to_string(i) + ": v\n";
  EXPECT_LE(files(many).size(), 2001u);
  EXPECT_LE(files("Subject: " + std::string(2 << 20, 'x') + "\n\n")["Subject"].size(), (256u << 10) + 1);
  EXPECT_EQ(files(std::string(300, 'n') + ": v\n\n").size(), 1u) << "a name that is no file's";
  std::string words = "Subject: ";
  for (int i = 0; i < 20000; i++) words += "=?utf-8?q?";
  EXPECT_FALSE(files(words + "\n\n")["Subject"].empty());
}

TEST(MailHeads, End) {
  EXPECT_EQ(end_of_head("a: b\n\nbody"), 6u);
  EXPECT_EQ(end_of_head("a: b\r\n\r\nbody"), 8u);
  EXPECT_EQ(end_of_head("\nbody"), 1u);
  EXPECT_FALSE(end_of_head("a: b\n"));
}

}  // namespace
}  // namespace isthmus::fs::mail
