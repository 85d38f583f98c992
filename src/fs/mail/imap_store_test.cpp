#include "fs/mail/imap_store.h"

#include "fs/mail/fake_imap.h"
#include "fs/mail/headers.h"

namespace isthmus::fs::mail {
namespace {

using ::testing::ElementsAre;

std::string letter(const std::string& subject, const std::string& body = "text\r\n") {
  return "From: a@b\r\nSubject: " + subject + "\r\n\r\n" + body;
}

struct ImapTest : ::testing::Test {
  ImapTest() {
    put_file(t / "password", "secret\n");
    options.password_file = t / "password";
    options.tls = false;
    options.timeout_ms = 60'000;
  }
  std::unique_ptr<Mail> mount(const std::string& folder = "") {
    return std::make_unique<Mail>(server.url(folder), options);
  }
  void add(const std::string& box, const std::string& text) {
    server.locked([&] { server.boxes[box].add(text); });
  }
  void flag(size_t i, const std::string& flags) {
    server.locked([&] { server.boxes["INBOX"].letters[i].flags = flags; });
  }
  void make(const std::string& box) {
    server.locked([&] { server.boxes.emplace(box, FakeImap::Box()); });
  }
  void can(const std::string& capabilities) {
    server.locked([&] { server.capabilities = capabilities; });
  }
  void letters(int n) {
    for (int i = 1; i <= n; i++) add("INBOX", letter("s" + std::to_string(i)));
  }
  TempFolder t;
  MailOptions options;
  FakeImap server;
};

TEST_F(ImapTest, AsFiles) {
  letters(2);
  flag(1, "\\Seen $Label Bad,Word");
  add("Archive/2024", letter("old"));
  make("Entw&APw-rfe");
  auto mail = mount();
  EXPECT_THAT(mail->list(""), ElementsAre("001", "002", "Archive", "Entw\xc3\xbcrfe"));
  EXPECT_EQ(mail->cat("001/Subject"), "s1\n");
  EXPECT_EQ(mail->cat("001/raw"), letter("s1"));
  EXPECT_EQ(mail->cat("001/body"), "text\n");
  EXPECT_EQ(mail->cat("002/flags/list"), "seen $Label\n");
  EXPECT_EQ(mail->find("001")->attr.mtime.sec, 837596665);
  EXPECT_EQ(mail->cat("Archive/2024/001/Subject"), "old\n");
  EXPECT_THAT(mail->list("Archive"), ElementsAre("2024"));
  EXPECT_THAT(mail->list("Archive/2024"), ElementsAre("001"));
  EXPECT_EQ(server.count("\\Seen"), 0u) << "reading marks nothing";
}

TEST_F(ImapTest, OneFolder) {
  add("Archive", letter("top"));
  add("Archive/2024", letter("old"));
  auto mail = mount("Archive");
  EXPECT_THAT(mail->list(""), ElementsAre("001", "2024"));
  EXPECT_EQ(mail->cat("001/Subject"), "top\n");
  EXPECT_THROW(mount("None"), std::runtime_error);
}

TEST_F(ImapTest, HeadsComeTogether) {
  letters(1000);
  auto mail = mount();
  for (int i = 1; i <= 1000; i++)
    ASSERT_EQ(mail->cat(number_name(static_cast<uint32_t>(i)) + "/Subject"), "s" + std::to_string(i) + "\n");
  EXPECT_LE(server.count("HEADER"), 8u);
  EXPECT_EQ(server.count("BODY.PEEK[]"), 0u);
}

TEST_F(ImapTest, LargeOnesComeInPieces) {
  std::string body;
  for (int i = 0; i < 60'000; i++) body += "line " + std::to_string(i) + " of a large message, and what not\r\n";
  add("INBOX", letter("large", body));
  add("INBOX", letter("exact", std::string((1u << 20) - letter("exact", "").size(), 'x')));
  auto mail = mount();
  EXPECT_EQ(mail->cat("001/raw"), letter("large", body));
  EXPECT_EQ(mail->cat("002/raw").size(), 1u << 20);
  options.max_message = 1000;
  EXPECT_EQ(mount()->cat("001/raw"), "error EFBIG");
}

TEST_F(ImapTest, Flags) {
  letters(1);
  auto mail = mount();
  EXPECT_EQ(mail->put("001/flags/seen", "1\n"), 0);
  EXPECT_EQ(server.box("INBOX").letters[0].flags, "\\Seen");
  EXPECT_EQ(mail->cat("001/flags/seen"), "1\n");
  EXPECT_EQ(mail->put("001/flags/seen", "0\n"), 0);
  EXPECT_EQ(server.box("INBOX").letters[0].flags, "");
  EXPECT_EQ(mail->put("001/flags/seen", "0\n"), 0);
  EXPECT_EQ(server.count("STORE"), 2u) << "what is so already needs no command";
  server.set_fault([](const std::string& c) {
    return c.find("STORE") != c.npos ? std::optional<std::string>("TAG NO read-only\r\n") : std::nullopt;
  });
  EXPECT_EQ(mail->put("001/flags/seen", "1\n"), EACCES);
}

TEST_F(ImapTest, NewsComeByThemselves) {
  letters(1);
  auto mail = mount();
  EXPECT_THAT(mail->list(""), ElementsAre("001"));
  EXPECT_TRUE(within_a_minute([&] { return server.count("IDLE") > 0; }));
  server.deliver(letter("new"));
  EXPECT_TRUE(within_a_minute([&] { return mail->ears.heard("entry 002"); }));
  EXPECT_EQ(mail->cat("002/Subject"), "new\n");
  {
    std::lock_guard lock(server.m);
    server.boxes["INBOX"].letters.erase(server.boxes["INBOX"].letters.begin());
  }
  EXPECT_TRUE(within_a_minute([&] { return mail->ears.heard("deleted 001"); }));
  EXPECT_THAT(mail->list(""), ElementsAre("002"));
  EXPECT_EQ(mail->cat("001/Subject"), "error ENOENT");
}

TEST_F(ImapTest, NewsWithoutIdle) {
  letters(1);
  can("IMAP4rev1");
  options.poll_ms = 100;
  auto mail = mount();
  EXPECT_THAT(mail->list(""), ElementsAre("001"));
  server.deliver(letter("new"));
  EXPECT_TRUE(within_a_minute([&] { return mail->ears.heard("entry 002"); }));
}

TEST_F(ImapTest, RemovedMessagesGoToTrash) {
  letters(3);
  flag(0, "\\Deleted");  // somebody else's wish
  auto mail = mount();
  EXPECT_EQ(mail->rmdir("002"), 0);
  EXPECT_EQ(mail->rm_r("003"), 0);
  EXPECT_THAT(mail->list(""), ElementsAre("001", "Trash"));
  ASSERT_EQ(server.box("Trash").letters.size(), 2u);
  EXPECT_EQ(server.box("Trash").letters[0].text, letter("s2"));
  EXPECT_EQ(server.box("INBOX").letters.size(), 1u);
  EXPECT_THAT(mail->list("Trash"), ElementsAre("001", "002"));
  EXPECT_EQ(mail->rmdir("Trash/001"), 0);
  ASSERT_EQ(server.box("Trash").letters.size(), 1u);
  EXPECT_EQ(server.box("Trash").letters[0].text, letter("s3"));
  EXPECT_EQ(mail->rmdir("002"), ENOENT);
}

TEST_F(ImapTest, RemovingWithoutMove) {
  letters(3);
  flag(0, "\\Deleted");
  can("IMAP4rev1 UIDPLUS");
  auto mail = mount();
  EXPECT_EQ(mail->rmdir("002"), 0);
  EXPECT_EQ(server.box("Trash").letters.size(), 1u);
  EXPECT_EQ(server.box("INBOX").letters.size(), 2u) << "the other one that is marked stays";
  EXPECT_THAT(mail->list(""), ElementsAre("001", "003", "Trash"));
}

TEST_F(ImapTest, RemovingWithNothingButCopy) {
  letters(2);
  can("IMAP4rev1");
  auto mail = mount();
  EXPECT_EQ(mail->rmdir("001"), 0);
  EXPECT_EQ(server.box("Trash").letters.size(), 1u);
  EXPECT_EQ(server.box("INBOX").letters[0].flags, "\\Deleted");
  EXPECT_THAT(mail->list(""), ElementsAre("002", "Trash")) << "it is not shown any more";
  EXPECT_THAT(mail->list("Trash"), ElementsAre("001"));
  EXPECT_EQ(mail->rmdir("Trash/001"), EOPNOTSUPP) << "EXPUNGE would take all";
  EXPECT_EQ(server.count("EXPUNGE"), 0u);
  EXPECT_THAT(mail->list(""), ElementsAre("002", "Trash"));
}

TEST_F(ImapTest, TrashByItsMark) {
  letters(1);
  server.set_fault([](const std::string& c) {
    return c.starts_with("LIST") ? std::optional<std::string>(
                                       "* LIST () \".\" INBOX\r\n"
                                       "* LIST (\\Trash) \".\" \"INBOX.Papierkorb\"\r\nTAG OK\r\n")
                                 : std::nullopt;
  });
  make("INBOX.Papierkorb");
  auto mail = mount();
  EXPECT_THAT(mail->list(""), ElementsAre("001", "Papierkorb"));
  EXPECT_EQ(mail->rmdir("001"), 0);
  EXPECT_EQ(server.box("INBOX.Papierkorb").letters.size(), 1u);
}

TEST_F(ImapTest, AnotherUidValidity) {
  letters(2);
  auto mail = mount();
  EXPECT_THAT(mail->list(""), ElementsAre("001", "002"));
  {
    std::lock_guard lock(server.m);
    server.boxes["INBOX"].validity = 2;
    server.boxes["INBOX"].letters = {{1, letter("another"), ""}};
  }
  server.cut();  // servers may change it between connections only
  EXPECT_TRUE(within_a_minute([&] { return mail->list("") == std::vector<std::string>{"003"}; }));
  EXPECT_EQ(mail->cat("003/Subject"), "another\n");
  EXPECT_EQ(mail->cat("001/Subject"), "error ENOENT") << "the number is not another's";
}

TEST_F(ImapTest, LostConnections) {
  letters(50);
  auto mail = mount();
  EXPECT_EQ(mail->list("").size(), 50u);
  EXPECT_EQ(mail->cat("001/Subject"), "s1\n");
  const size_t logins = server.count("LOGIN");
  server.cut();
  EXPECT_TRUE(within_a_minute([&] { return server.count("LOGIN") > logins; })) << "made again, at once";
  EXPECT_EQ(mail->cat("001/raw"), letter("s1"));
  // In the middle of an answer.
  std::atomic<int> faults{1};
  server.set_fault([&](const std::string& c) -> std::optional<std::string> {
    if (c.find("BODY.PEEK[]") != c.npos && faults-- > 0) return "close";
    return std::nullopt;
  });
  EXPECT_EQ(mail->cat("002/raw"), letter("s2"));
  server.set_fault(nullptr);
  server.refuses = true;
  server.cut();
  const std::string down = mail->cat("003/raw");
  EXPECT_TRUE(down == "error EHOSTDOWN" || down == "error EIO") << down;
  EXPECT_EQ(mail->cat("001/Subject"), "s1\n") << "what is known is shown";
  EXPECT_EQ(mail->cat("003/raw"), "error EHOSTDOWN") << "at once, until it is tried again";
  server.refuses = false;
  server.deliver(letter("meanwhile"));
  EXPECT_TRUE(within_a_minute([&] { return mail->ears.heard("entry 051"); })) << "by itself";
  EXPECT_EQ(mail->cat("003/raw"), letter("s3"));
}

TEST_F(ImapTest, ConnectionsThatNeverLast) {
  letters(1);
  auto mail = mount();
  server.set_fault([](const std::string& c) -> std::optional<std::string> {
    if (c.starts_with("SELECT") || c.starts_with("FETCH") || c == "IDLE") return "close";
    return std::nullopt;
  });
  server.cut();
  EXPECT_TRUE(within_a_minute([&] { return server.count("LOGIN") > 3; }));
  ::poll(nullptr, 0, 2000);
  EXPECT_LE(server.count("LOGIN"), 12u) << "made again and again";
  server.set_fault(nullptr);
  EXPECT_TRUE(within_a_minute([&] { return mail->cat("001/raw") == letter("s1"); }));
}

TEST_F(ImapTest, AServerThatHangs) {
  letters(2);
  options.timeout_ms = 300;
  auto mail = mount();
  EXPECT_EQ(mail->list("").size(), 2u);
  server.set_fault([](const std::string& c) -> std::optional<std::string> {
    if (c.find("BODY.PEEK") != c.npos) return "hang";
    return std::nullopt;
  });
  EXPECT_EQ(mail->cat("001/Subject"), "error ETIMEDOUT");
  server.set_fault([](const std::string&) -> std::optional<std::string> { return "hang"; });
  server.cut();
  EXPECT_TRUE(within_a_minute([&] { return mail->cat("001/Subject") == "error EHOSTDOWN"; })) << "at once, then";
}

TEST_F(ImapTest, HostileServers) {
  const std::string hostile[] = {
      "* 1 FETCH (UID 1 BODY[HEADER]<0> {999999999999}\r\n",
      "* 1 FETCH (UID 1 BODY[HEADER]<0> {-1}\r\nTAG OK\r\n",
      "* 1 FETCH ((((((((((((((((((((((((((((((\r\n",
      std::string("\0\0\0\r\nTAG OK\r\n", 13),
      "* 4294967295 EXISTS\r\nTAG OK\r\n",
      "* 999999 EXPUNGE\r\n* 0 EXPUNGE\r\nTAG OK\r\n",
      "* 1 FETCH (UID 77 BODY[HEADER]<0> \"x\")\r\nTAG OK\r\n",
      "* 99 FETCH (FLAGS (\\Seen) UID 0)\r\n* 1 FETCH (UID x FLAGS y)\r\n* 1 FETCH\r\n* FETCH 1\r\nTAG OK\r\n",
      "* BYE go away\r\n",
      "other OK\r\n",
      "TAG BAD no\r\n",
      "TAG NO no\r\n",
      "+ what\r\n",
  };
  for (auto& what : hostile) {
    FakeImap other;
    other.locked([&] { other.boxes["INBOX"].add(letter("s1")); });
    Mail mail(other.url(), options);
    EXPECT_EQ(mail.list("").size(), 1u);
    other.set_fault([&](const std::string& c) -> std::optional<std::string> {
      if (c.find("HEADER") != c.npos) return what;
      return std::nullopt;
    });
    EXPECT_TRUE(mail.cat("001/Subject").starts_with("error ")) << what;
    other.set_fault(nullptr);
    EXPECT_TRUE(within_a_minute([&] { return mail.cat("001/Subject") == "s1\n"; })) << what;
  }
}

TEST_F(ImapTest, NamesOfFolders) {
  server.set_fault([](const std::string& c) {
    return c.starts_with("LIST")
               ? std::optional<std::string>(
                     "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"../../etc\"\r\n* LIST () \"/\" \".\"\r\n"
                     "* LIST () \"/\" {5}\r\na\r\nb/\r\n* LIST () \"/\" \"a//b\"\r\n* LIST () NIL \"x/y\"\r\n"
                     "* LIST () \"/\" \"&AAo-\"\r\n* LIST (\\Noselect) \"/\" \"" +
                     std::string(900, 'z') + "\"\r\n* LIST x y\r\n* LIST () \"/\" \"001\"\r\nTAG OK\r\n")
               : std::nullopt;
  });
  letters(1);
  auto mail = mount();
  for (auto& name : mail->list("")) {
    EXPECT_EQ(name.find_first_of(std::string_view("/\0\n", 3)), name.npos) << name;
    EXPECT_NE(name[0], '.') << name;
    EXPECT_LE(name.size(), 255u);
  }
}

TEST_F(ImapTest, Passwords) {
  put_file(t / "password", "wrong\n");
  auto no = MailFs::open(server.url(), options, {});
  ASSERT_FALSE(no);
  EXPECT_EQ(no.problem().code, err(EACCES));
  EXPECT_EQ(no.problem().text().find("wrong\n"), std::string::npos);
  options.password_file.clear();
  ::setenv("NETRC", (t / "netrc").c_str(), 1);
  int asked = 0;
  MailHooks hooks;
  hooks.password = [&](int attempt) -> std::optional<std::string> {
    asked = attempt;
    return attempt == 2 ? "secret" : "guess";
  };
  EXPECT_TRUE(MailFs::open(server.url(), options, hooks));
  EXPECT_EQ(asked, 2);
  hooks.password = [&](int) { return std::optional<std::string>("guess"); };
  EXPECT_EQ(MailFs::open(server.url(), options, hooks).problem().code, err(EACCES));
  EXPECT_EQ(MailFs::open(server.url(), options, {}).problem().code, err(EACCES));
  put_file(t / "netrc", "");
  ASSERT_EQ(::chmod((t / "netrc").c_str(), 0600), 0);
  put_file(t / "netrc", "machine 127.0.0.1 login me password secret\n");
  EXPECT_TRUE(MailFs::open(server.url(), options, {}));
  ::unsetenv("NETRC");
}

TEST_F(ImapTest, WhatIsRefused) {
  options.tls = true;
  auto no = MailFs::open(server.url(), options, {});
  ASSERT_FALSE(no) << "no STARTTLS";
  EXPECT_EQ(no.problem().code, err(EPROTO));
  for (const char* bad : {"imap://", "imap://me@/x", "imap://me:pw@host/", "imap://me@host:0/", "imap://me@host:x/",
                          "imap://me@[::1/", "imap://me@ho st/"})
    EXPECT_FALSE(imap::parse_address(bad)) << bad;
  EXPECT_EQ(imap::parse_address("imap://me:pw@host/").problem().text().find("pw"), std::string::npos);
  const auto a = imap::parse_address("imaps://me@example.org@[::1]:9993/A/B/");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->user, "me@example.org");
  EXPECT_EQ(a->host, "[::1]");
  EXPECT_EQ(a->port, 9993);
  EXPECT_EQ(a->folder, "A/B");
}

TEST_F(ImapTest, CancelledWhileWaiting) {
  letters(1);
  auto mail = mount();
  EXPECT_EQ(mail->list("").size(), 1u);
  std::atomic<bool> hung{false};
  server.set_fault([&](const std::string& c) -> std::optional<std::string> {
    if (c.find("BODY.PEEK[]") == c.npos) return std::nullopt;
    hung = true;
    return "hang";
  });
  std::thread first([&] { (void)mail->cat("001/raw"); });
  EXPECT_TRUE(within_a_minute([&] { return hung.load(); }));
  Cancel cancel;
  Context ctx;
  ctx.cancel = &cancel;
  std::thread canceller([&] {
    ::poll(nullptr, 0, 50);
    cancel.request();
  });
  auto n = mail->find("001");
  auto r = call_and_wait(*mail->fs, op::Lookup{{}, n->node, "Subject"}, ctx);
  EXPECT_EQ(r.code(), EINTR);
  canceller.join();
  server.set_fault(nullptr);
  server.cut();
  first.join();
}

}  // namespace
}  // namespace isthmus::fs::mail
