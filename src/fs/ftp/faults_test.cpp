/// What servers and networks do wrong.
#include <atomic>

#include "fs/ftp/test_ftp.h"
#include "vfs/then.h"

namespace isthmus::fs::ftp {
namespace {

using Do = TestServer::Do;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::StartsWith;

TEST(Faults, AReadThatBreaksGoesOnWhereItEnded) {
  Ftp f;
  const std::string text = pattern(4 << 20);
  f.server.put("/file", text);
  f.server.fail({.verb = "RETR", .what = Do::cut, .bytes = 1'500'000});
  f.server.fail({.verb = "RETR", .what = Do::stop, .text = "426 broken", .bytes = 1'000'000});
  auto all = f.content("file");
  ASSERT_TRUE(all);
  EXPECT_TRUE(*all == text);
  EXPECT_EQ(f.server.count("RETR"), 3u);
  EXPECT_THAT(f.server.commands(), Contains("REST 1500000"));
}

TEST(Faults, TwoVersionsOfAFileAreNotPutTogether) {
  Ftp f;
  f.server.put("/file", pattern(9 << 20));
  const NodeId n = f.node("file");
  auto h = f.open(n, O_RDONLY);
  ASSERT_TRUE(h);
  const Ftp::File file{n, *h};
  ASSERT_TRUE(f.read(file, 0, 100));
  f.server.put("/file", std::string(9 << 20, 'x') + "longer");
  EXPECT_EQ(f.read(file, 8 << 20, 100).code(), ESTALE);
  f.release(file);
}

TEST(Faults, ABrokenUploadLeavesTheOldContentAndIsGoneOnWith) {
  Ftp f;
  const std::string text = pattern(4 << 20);
  f.server.put("/file", "old content");
  f.server.fail({.verb = "STOR", .what = Do::cut, .bytes = 2'000'000});
  auto file = f.create("file", O_WRONLY | O_CREAT | O_TRUNC);
  ASSERT_TRUE(file);
  for (size_t at = 0; at < text.size(); at += 1 << 18)
    ASSERT_TRUE(f.write(*file, at, std::string_view(text).substr(at, 1 << 18)));
  EXPECT_EQ(f.server.data("/file"), "old content");
  ASSERT_TRUE(f.flush(*file));
  EXPECT_TRUE(f.server.data("/file") == text);
  EXPECT_EQ(f.server.count("STOR"), 1u);
  EXPECT_GE(f.server.count("APPE"), 1u);
  f.release(*file);
  EXPECT_THAT(f.server.names("/"), ElementsAre("file"));
}

TEST(Faults, WhatWasAppendedIsThereOnce) {
  for (const bool others : {false, true}) {
    Ftp f({}, [] {
      FtpOptions o = Ftp::quick();
      o.retry_ms = 0;
      return o;
    }());
    const std::string before = pattern(100'000), text = pattern(300'000);
    f.server.put("/log", before);
    const NodeId n = f.node("log");
    auto h = f.open(n, O_WRONLY | O_APPEND);
    ASSERT_TRUE(h);
    const Ftp::File file{n, *h};
    ASSERT_TRUE(f.write(file, before.size(), text));
    if (others)
      f.server.fail({.verb = "APPE", .what = Do::drop});
    else
      f.server.fail({.verb = "APPE", .what = Do::cut, .bytes = 50'000});
    EXPECT_FALSE(f.flush(file));
    if (others) f.server.put("/log", before + "of others");
    f.server.fail({.verb = "APPE", .what = Do::reply, .text = "552 Quota exceeded"});
    EXPECT_EQ(f.flush(file).code(), EDQUOT);
    EXPECT_TRUE(soon([&] { return f.flush(file).ok(); }));
    f.release(file);
    EXPECT_TRUE(f.server.data("/log") == before + (others ? "of others" : "") + text) << others;
  }
}

TEST(Faults, AFullServerIsTold) {
  struct Case {
    TestServer::Fault fault;
    int error;
  };
  const Case cases[] = {
      {{.verb = "STOR", .what = Do::stop, .text = "552 Quota exceeded", .bytes = 100'000, .times = 100}, EDQUOT},
      {{.verb = "STOR", .what = Do::reply, .text = "552 Disk full", .times = 100}, ENOSPC},
      {{.verb = "STOR", .what = Do::stop, .text = "452 Insufficient storage", .bytes = 100'000, .times = 100}, ENOSPC},
      {{.verb = "STOR", .what = Do::reply, .text = "550 x: Permission denied", .times = 100}, EACCES},
  };
  for (auto& c : cases) {
    Ftp f;
    f.server.put("/file", "old content");
    f.server.fail(c.fault);
    EXPECT_EQ(f.store("file", pattern(300'000)).code(), c.error) << c.fault.text;
    EXPECT_EQ(f.server.data("/file"), "old content");
    EXPECT_EQ(f.content("file")->size(), 11u);  // and not what could not be written
    EXPECT_TRUE(soon([&] { return f.server.names("/") == std::vector<std::string>{"file"}; })) << c.fault.text;
  }
}

TEST(Faults, NothingIsGoodWithoutTheServersWord) {
  // 226 for a part of it.
  Ftp f({}, [] {
    FtpOptions o = Ftp::quick();
    o.retry_ms = 0;
    return o;
  }());
  f.server.put("/file", "old content");
  f.server.fail({.verb = "STOR", .what = Do::stop, .text = "226 all fine", .bytes = 1'000, .times = 100});
  EXPECT_FALSE(f.store("file", pattern(300'000)));
  EXPECT_EQ(f.server.data("/file"), "old content");
  // A connection that ends where the word should be.
  Ftp g({}, [] {
    FtpOptions o = Ftp::quick();
    o.retry_ms = 0;
    return o;
  }());
  g.server.put("/file", "old content");
  g.server.fail({.verb = "STOR", .what = Do::undone, .times = 100});
  EXPECT_FALSE(g.store("file", pattern(1000)));
  EXPECT_EQ(g.server.data("/file"), "old content");
}

TEST(Faults, WhatWasDoneAlthoughTheAnswerGotLostIsDone) {
  Ftp f;
  f.server.put("/a", "a");
  f.server.fail({.verb = "MKD", .what = Do::undone});
  EXPECT_TRUE(f.run(op::Mkdir{{}, NodeId::root, "dir", 0755, {}}));
  f.server.fail({.verb = "DELE", .what = Do::undone});
  EXPECT_TRUE(f.run(op::Unlink{{}, NodeId::root, "a"}));
  f.server.fail({.verb = "RMD", .what = Do::undone});
  EXPECT_TRUE(f.run(op::Rmdir{{}, NodeId::root, "dir"}));
  ASSERT_TRUE(f.store("b", "b"));
  f.server.fail({.verb = "RNTO", .what = Do::undone});
  op::Rename r;
  r.dir = r.to_dir = NodeId::root;
  r.name = "b";
  r.to_name = "c";
  EXPECT_TRUE(f.run(r));
  // The last step of an upload.
  f.server.fail({.verb = "RNTO", .what = Do::undone});
  EXPECT_TRUE(f.store("c", "new"));
  EXPECT_THAT(f.server.names("/"), ElementsAre("c"));
  EXPECT_EQ(f.server.data("/c"), "new");
}

TEST(Faults, AConnectionThatWasDroppedIsMadeAgain) {
  Ftp f;
  f.server.put("/file", "x");
  for (int i = 0; i < 3; i++) {
    EXPECT_TRUE(f.list(NodeId::root).seen.contains("file"));
    f.server.drop_all();
    EXPECT_EQ(*f.content("file"), "x");
    f.server.drop_all();
    EXPECT_TRUE(f.store("file", "x"));
    f.server.fail({.verb = "MLSD", .what = Do::drop});
    f.server.fail({.verb = "EPSV", .what = Do::reply, .text = "421 Timeout"});
  }
}

TEST(Faults, AServerThatIsSilentHoldsUpNobodyForLong) {
  FtpOptions options = Ftp::quick();
  options.timeout_ms = 1000;
  Ftp f({}, options);
  f.server.put("/file", pattern(3 << 20));
  f.server.fail({.verb = "MLSD", .what = Do::hang, .bytes = 0});
  EXPECT_EQ(f.lookup("file").code(), ETIMEDOUT);
  ASSERT_TRUE(f.lookup("file"));
  f.server.fail({.verb = "MKD", .what = Do::hang});
  EXPECT_EQ(f.run(op::Mkdir{{}, NodeId::root, "dir", 0755, {}}).code(), ETIMEDOUT);
  EXPECT_EQ(f.content("file")->size(), size_t{3} << 20);
}

TEST(Faults, WhoeverWaitsCanGo) {
  Ftp f;
  f.server.put("/file", "x");
  f.server.fail({.verb = "MLSD", .what = Do::hang});
  Cancel cancel;
  Context ctx;
  ctx.cancel = &cancel;
  std::atomic<int> answer{-1};
  call_then(*f.fs, ctx, op::Lookup{{}, NodeId::root, "file"}, [&](Result<Entry> r) { answer = r.code(); });
  EXPECT_TRUE(soon([&] { return f.server.count("MLSD") == 1; }));
  EXPECT_EQ(answer, -1);
  cancel.request();
  EXPECT_EQ(answer, EINTR);
}

TEST(Faults, TheEndWaitsForNoServer) {
  Ftp f;
  f.server.fail({.verb = "MLSD", .what = Do::hang});
  std::atomic<int> answer{-1};
  call_then(*f.fs, {}, op::Lookup{{}, NodeId::root, "file"}, [&](Result<Entry> r) { answer = r.code(); });
  EXPECT_TRUE(soon([&] { return f.server.count("MLSD") == 1; }));
  f.fs->stop();
  EXPECT_NE(answer, -1);
}

TEST(Faults, GarbageIsNoListing) {
  FtpOptions options = Ftp::quick();
  options.timeout_ms = 200;
  Ftp f({}, options);
  f.server.put("/fine", "x");
  f.server.put("/a\x01name", "x");
  f.server.fail({.verb = "PASV", .what = Do::reply, .text = "999 what", .times = 100});
  EXPECT_TRUE(f.list(NodeId::root).seen.contains("fine"));
  for (const char* text : {"garbage", "-1", "226", "150 \xff\xff", "229 (|||0|)", "229 (|||99999|)", "229"}) {
    f.server.fail({.verb = "EPSV", .what = Do::reply, .text = text, .times = 2});
    (void)f.run(op::Mkdir{{}, NodeId::root, "dir", 0755, {}});
    (void)f.content("fine");
  }
  for (const char* text : {"213 x", "213", "garbage", "213 99999999999999999999", "213 -5"}) {
    f.server.fail({.verb = "SIZE", .what = Do::reply, .text = text, .times = 1});
    (void)f.content("fine");
  }
  // A busy machine may take longer than such a short time-out.
  EXPECT_TRUE(soon([&] {
    auto content = f.content("fine");
    return content && *content == "x";
  }));
}

TEST(Faults, AServerThatTakesFewConnectionsGetsFew) {
  TestServer::Options o;
  o.most_sessions = 1;
  Ftp f(o);
  EXPECT_TRUE(soon([&] { return f.server.sessions() == 0; }));
  f.server.put("/large", pattern(8 << 20));
  f.server.put("/small", "x");
  const NodeId n = f.node("large");
  auto h = f.open(n, O_RDONLY);
  ASSERT_TRUE(h);
  const Ftp::File file{n, *h};
  ASSERT_TRUE(f.read(file, 0, 100));
  // The only connection is a stream's that nobody reads just now.
  auto small = f.content("small");
  ASSERT_TRUE(small) << name_of(small.error());
  EXPECT_EQ(*small, "x");
  auto end = f.read(file, 7 << 20, 100);
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, pattern(8 << 20).substr(7 << 20, 100));
  f.release(file);
  EXPECT_TRUE(f.store("new", pattern(3 << 20)));
}

TEST(Faults, ManyStreamsShareTheConnections) {
  Ftp f;
  const std::string text = pattern(5 << 20);
  std::vector<Ftp::File> files;
  for (int i = 0; i < 8; i++) {
    const std::string name = "file" + std::to_string(i);
    if (i == 0)
      for (int k = 0; k < 8; k++) f.server.put("/file" + std::to_string(k), text);
    const NodeId n = f.node(name);
    auto h = f.open(n, O_RDONLY);
    ASSERT_TRUE(h);
    files.push_back({n, *h});
  }
  for (size_t at = 0; at < text.size(); at += 1 << 20)
    for (auto& file : files) {
      auto got = f.read(file, at, 1000);
      ASSERT_TRUE(got) << at;
      EXPECT_TRUE(*got == text.substr(at, 1000)) << at;
    }
  EXPECT_LE(f.server.sessions(), 4u);
  std::vector<Ftp::File> made;
  for (int i = 0; i < 6; i++) made.push_back(*f.create("new" + std::to_string(i)));
  for (size_t at = 0; at < text.size(); at += 1 << 18)
    for (auto& file : made) ASSERT_TRUE(f.write(file, at, std::string_view(text).substr(at, 1 << 18)));
  for (auto& file : made) EXPECT_TRUE(f.flush(file));
  for (int i = 0; i < 6; i++) EXPECT_TRUE(f.server.data("/new" + std::to_string(i)) == text);
  for (auto& file : made) f.release(file);
  for (auto& file : files) f.release(file);
}

TEST(Faults, PasswordsAreAskedForAndWrongOnesTold) {
  TestServer server({.user = "alice", .password = "sesame"});
  set_log_level(LogLevel::off);
  setenv("NETRC", "/nonexistent", 1);
  const Place p{.user = "alice", .host = "127.0.0.1", .port = server.port()};
  int asked = 0;
  FtpHooks hooks;
  hooks.password = [&](int attempt) {
    asked = attempt;
    return std::optional<std::string>(attempt == 2 ? "sesame" : "wrong");
  };
  EXPECT_TRUE(FtpFs::open(p, "", false, Ftp::quick(), hooks));
  EXPECT_EQ(asked, 2);
  hooks.password = [&](int attempt) {
    asked = attempt;
    return std::optional<std::string>("wrong");
  };
  auto refused = FtpFs::open(p, "", false, Ftp::quick(), hooks);
  ASSERT_FALSE(refused);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(refused.problem().code, err(EACCES));
  EXPECT_THAT(refused.problem().text(), Not(HasSubstr("wrong")));
  auto none = FtpFs::open(p, "", false, Ftp::quick(), {});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.problem().text(), HasSubstr(".netrc"));
  unsetenv("NETRC");
}

TEST(Faults, AServerThatIsNotThereIsTold) {
  uint16_t port = 0;
  { port = TestServer().port(); }
  set_log_level(LogLevel::off);
  auto refused = FtpFs::open({.user = "", .host = "127.0.0.1", .port = port}, "", false, Ftp::quick(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.problem().code, err(ECONNREFUSED));
  auto unknown = FtpFs::open({.user = "", .host = "no-such-host.invalid", .port = 0}, "", false, Ftp::quick(), {});
  ASSERT_FALSE(unknown);
  EXPECT_THAT((std::vector<Errno>{err(ENOENT), err(EHOSTUNREACH)}), Contains(unknown.problem().code));
}

// ---- ftp: ----

class Hosts : public testing::Test {
 protected:
  Hosts() { set_log_level(LogLevel::off); }
  ~Hosts() override {
    if (fs) fs->stop();
  }
  void mount(FtpOptions o = Ftp::quick()) {
    fs = FtpFs::open_all(o);
    ASSERT_TRUE(fs->start(up));
  }
  Result<Entry> lookup(const std::string& name) { return call_and_wait(*fs, op::Lookup{{}, NodeId::root, name}); }
  std::string name(const std::string& host = "127.0.0.1") { return host + ":" + std::to_string(server.port()); }
  TestServer server;
  Upcalls up;
  std::unique_ptr<FtpFs> fs;
};

TEST_F(Hosts, NamingOneConnects) {
  mount();
  server.put("/file", "x");
  auto host = lookup(name());
  ASSERT_TRUE(host);
  ASSERT_NE(host->node, NodeId::none);
  EXPECT_TRUE(S_ISDIR(host->attr.mode));
  auto file = call_and_wait(*fs, op::Lookup{{}, host->node, "file"});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->attr.size, 1u);
  EXPECT_EQ(lookup(name())->node, host->node);
  auto up_again = call_and_wait(*fs, op::Lookup{{}, host->node, ".."});
  ASSERT_TRUE(up_again);
  EXPECT_EQ(up_again->node, NodeId::root);
  EXPECT_EQ(call_and_wait(*fs, op::Mkdir{{}, NodeId::root, "dir", 0755, {}}).code(), EPERM);
  EXPECT_EQ(call_and_wait(*fs, op::Rmdir{{}, NodeId::root, name()}).code(), EPERM);
}

TEST_F(Hosts, WhatIsNoHostsNameConnectsNowhere) {
  mount();
  for (const char* probe : {".git",
                            ".Trash-1000",
                            ".hidden",
                            "autorun.inf",
                            "desktop.ini",
                            "Thumbs.db",
                            "bin",
                            "HEAD",
                            "BDMV",
                            "a b",
                            "-x.example",
                            "x_.y",
                            "1.2.3",
                            "example.org:",
                            "example.org:0",
                            "example.org:70000",
                            "@example.org",
                            "a:b@example.org",
                            "[::1",
                            "[x]",
                            "..."}) {
    auto e = lookup(probe);
    ASSERT_TRUE(e) << probe;
    EXPECT_EQ(e->node, NodeId::none) << probe;
    EXPECT_GT(e->entry_ttl, 0u) << probe;
  }
}

TEST_F(Hosts, OnlyThoseAllowedAreConnectedTo) {
  FtpOptions o = Ftp::quick();
  o.hosts = {"localhost"};
  mount(o);
  EXPECT_EQ(lookup(name())->node, NodeId::none);
  EXPECT_NE(lookup(name("localhost"))->node, NodeId::none);
}

TEST_F(Hosts, OnesThatNobodyUsesMakeRoom) {
  FtpOptions o = Ftp::quick();
  o.most_hosts = 1;
  mount(o);
  auto first = lookup(name());
  ASSERT_TRUE(first);
  EXPECT_EQ(lookup(name("localhost")).code(), EMFILE);
  EXPECT_TRUE(call_and_wait(*fs, op::Forget{{}, first->node, 1}));
  auto second = lookup(name("localhost"));
  ASSERT_TRUE(second);
  EXPECT_NE(second->node, NodeId::none);
}

TEST_F(Hosts, OneThatIsNotThereIsToldAndNotAskedAllTheTime) {
  uint16_t port = 0;
  { port = TestServer().port(); }
  mount();
  const std::string dead = "127.0.0.1:" + std::to_string(port);
  for (int i = 0; i < 50; i++) EXPECT_EQ(lookup(dead).code(), ECONNREFUSED);
}

TEST(Places, AreTakenApart) {
  auto p = parse_place("user@domain@host.example:2121");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->user, "user@domain");
  EXPECT_EQ(p->host, "host.example");
  EXPECT_EQ(p->port, 2121);
  p = parse_place("[::1]:21");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->host, "::1");
  EXPECT_TRUE(parse_place("127.0.0.1"));
  EXPECT_FALSE(parse_place("127.0.0.256"));
  EXPECT_FALSE(parse_place(""));
  EXPECT_FALSE(parse_place("a..b"));
  EXPECT_FALSE(parse_place("a/b"));
  EXPECT_FALSE(parse_place("user\n@host"));
}

TEST(Options, AreChecked) {
  FtpOptions o;
  std::string why;
  for (auto [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"tls", "require"},   {"tls", "try"},          {"tls", "off"},           {"cacert", "/x"},
           {"insecure", ""},     {"password_file", "/x"}, {"active", ""},           {"ro", ""},
           {"cache", "0.5"},     {"timeout", "5"},        {"connect_timeout", "5"}, {"idle", "5"},
           {"retry", "0"},       {"connections", "2"},    {"max_hosts", "3"},       {"max_entries", "5"},
           {"upload", "direct"}, {"read_ahead", "1m"},    {"spool", "/tmp"},        {"uid", "5"},
           {"gid", "5"},         {"hosts", "a,b.example"}})
    EXPECT_TRUE(set_ftp_option(o, key, value, why)) << key << ": " << why;
  EXPECT_EQ(o.cache_ms, 500u);
  EXPECT_EQ(o.hosts.size(), 2u);
  for (auto [key, value] : std::initializer_list<std::pair<const char*, const char*>>{{"tls", "x"},
                                                                                      {"cacert", ""},
                                                                                      {"insecure", "1"},
                                                                                      {"cache", "-1"},
                                                                                      {"timeout", "0"},
                                                                                      {"connections", "0"},
                                                                                      {"connections", "65"},
                                                                                      {"upload", "x"},
                                                                                      {"read_ahead", "1"},
                                                                                      {"hosts", ""},
                                                                                      {"hosts", "a b"},
                                                                                      {"hosts", "u@a"},
                                                                                      {"password", "x"},
                                                                                      {"nonsense", "x"}}) {
    why.clear();
    EXPECT_FALSE(set_ftp_option(o, key, value, why)) << key;
    EXPECT_THAT(why, HasSubstr(key));
  }
}

}  // namespace
}  // namespace isthmus::fs::ftp
