#include <sys/stat.h>

#include <map>
#include <numeric>
#include <set>

#include "base/file_time.h"
#include "doors/webdav/dead_props.h"
#include "doors/webdav/test_door.h"
#include "vfs/dos_facts.h"

namespace isthmus::webdav::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(DoorTest, PutGetDelete) {
  auto made = ask("PUT", "/a", {}, "hello");
  EXPECT_EQ(made.status, 201);
  auto got = ask("GET", "/a");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.field("etag"), made.field("etag"));
  auto head = ask("HEAD", "/a");
  EXPECT_EQ(head.field("content-length"), "5");
  EXPECT_EQ(ask("PUT", "/a", {}, "other").status, 204);
  EXPECT_NE(ask("HEAD", "/a").field("etag"), made.field("etag"));
  EXPECT_EQ(ask("DELETE", "/a").status, 204);
  EXPECT_EQ(ask("GET", "/a").status, 404);
  EXPECT_EQ(ask("PUT", "/no/such/dir", {}, "x").status, 409);
  EXPECT_EQ(ask("MKCOL", "/d").status, 201);
  auto refused = ask("PUT", "/d", {}, "x");
  EXPECT_EQ(refused.status, 405);
  EXPECT_THAT(refused.field("allow"), HasSubstr("PROPFIND"));
  EXPECT_EQ(ask("DELETE", "/").status, 403);
}

TEST_F(DoorTest, Ranges) {
  auto made = ask("PUT", "/a", {}, "0123456789");
  auto part = ask("GET", "/a", {{"Range", "bytes=2-4"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.field("content-range"), "bytes 2-4/10");
  EXPECT_EQ(ask("GET", "/a", {{"Range", "bytes=-3"}}).body, "789");
  auto beyond = ask("GET", "/a", {{"Range", "bytes=10-"}});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.field("content-range"), "bytes */10");
  EXPECT_EQ(ask("GET", "/a", {{"Range", "bytes=0-1,3-4"}}).status, 200);
  EXPECT_EQ(ask("GET", "/a", {{"Range", "bytes=0-1"}, {"If-Range", made.field("etag")}}).status, 206);
  EXPECT_EQ(ask("GET", "/a", {{"Range", "bytes=0-1"}, {"If-Range", "\"other\""}}).status, 200);
}

TEST_F(DoorTest, Conditions) {
  auto made = ask("PUT", "/a", {{"If-None-Match", "*"}}, "one");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(ask("PUT", "/a", {{"If-None-Match", "*"}}, "two").status, 412);
  EXPECT_EQ(ask("GET", "/a", {{"If-None-Match", made.field("etag")}}).status, 304);
  EXPECT_EQ(ask("PUT", "/a", {{"If-Match", "\"no\""}}, "two").status, 412);
  EXPECT_EQ(ask("GET", "/a").body, "one");
  EXPECT_EQ(ask("PUT", "/a", {{"If-Match", made.field("etag")}}, "two").status, 204);
  EXPECT_EQ(ask("DELETE", "/a", {{"If", "([\"no\"])"}}).status, 412);
  EXPECT_EQ(ask("GET", "/a").body, "two");
}

TEST_F(DoorTest, PipelinedRequestsAreAnsweredInOrder) {
  std::string all;
  for (int i = 0; i < 50; i++) all += text("PUT", "/f" + std::to_string(i), {}, "content " + std::to_string(i));
  for (int i = 0; i < 50; i++) all += text("GET", "/f" + std::to_string(i));
  Client client(port());
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 50; i++) EXPECT_EQ(client.read().status, 201);
  for (int i = 0; i < 50; i++) EXPECT_EQ(client.read().body, "content " + std::to_string(i));
}

TEST_F(DoorTest, ContinueComesOnlyForBodiesThatAreWanted) {
  Client good(port());
  good.send("PUT /a HTTP/1.1\r\nHost: " + host() + "\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(good.read().status, 100);
  good.send("abc");
  EXPECT_EQ(good.read().status, 201);
  Client bad(port());
  bad.send("PUT /a HTTP/1.1\r\nHost: " + host() +
           "\r\nExpect: 100-continue\r\nIf-None-Match: *\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(bad.read().status, 412);
  EXPECT_TRUE(bad.closed());
}

TEST_F(DoorTest, UnwantedBodiesDoNotBecomeRequests) {
  Client client(port());
  const std::string hidden = text("DELETE", "/victim");
  ask("PUT", "/victim", {}, "x");
  client.send(text("PUT", "/no/dir", {}, hidden) + text("GET", "/victim"));
  EXPECT_EQ(client.read().status, 409);
  EXPECT_EQ(client.read().body, "x");
}

TEST_F(DoorTest, MalformedRequestsAreRefusedAndEndTheConnection) {
  for (const std::string& bad :
       {"PUT /a HTTP/1.1\r\nHost: " + host() + "\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: " + host() + "\r\n folded: x\r\n\r\n", std::string("GARBAGE\r\n\r\n")}) {
    Client client(port());
    client.send(bad + text("GET", "/"));
    EXPECT_EQ(client.read().status, 400) << bad;
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(raw("GET / HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(raw("PUT /x HTTP/1.1\r\nHost: " + host() + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").status, 400);
  EXPECT_EQ(ask("GET", "/x").status, 404);  // nothing of it is left
}

TEST_F(DoorTest, ABrokenUploadLeavesWhatWas) {
  ask("PUT", "/a", {}, "old content");
  {
    Client client(port());
    client.send("PUT /a HTTP/1.1\r\nHost: " + host() + "\r\nContent-Length: 1000\r\n\r\nhalf of");
    // A client that is gone before it was let in is nobody's.
    for (int i = 0; i < 1000 && fs_->counters().get(Op::Create) < 2; i++) usleep(10'000);
  }
  {
    Client client(port());
    client.send("PUT /new HTTP/1.1\r\nHost: " + host() + "\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    client.end();
    EXPECT_TRUE(client.closed());
  }
  for (int i = 0; i < 100 && fs_->counters().get(Op::Unlink) < 2; i++) usleep(20'000);
  EXPECT_EQ(ask("GET", "/a").body, "old content");
  EXPECT_EQ(ask("GET", "/new").status, 404);
  EXPECT_EQ(fs_->counters().get(Op::Unlink), 2u);  // both temporary files
}

TEST_F(DoorTest, AFullFileSystemKeepsTheOldContent) {
  fs::mem::MemOptions mem;
  mem.limits.bytes = 1 << 20;
  start({}, mem);
  EXPECT_EQ(ask("PUT", "/a", {}, "old").status, 201);
  EXPECT_EQ(ask("PUT", "/a", {}, std::string(2 << 20, 'x')).status, 507);
  EXPECT_EQ(ask("GET", "/a").body, "old");
  EXPECT_EQ(ask("PUT", "/b", {}, std::string(100'000, 'x')).status, 201);  // the space is free again
}

TEST_F(DoorTest, ReplacedFilesKeepModeAndAttributes) {
  ask("PUT", "/a", {}, "one");
  auto entry = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  ASSERT_TRUE(entry);
  SetAttr set;
  set.to.mode = 0640;
  set.mask = kSetMode;
  ASSERT_TRUE(call_and_wait(*port_, op::Setattr{{}, entry->node, HandleId::none, set}));
  ASSERT_TRUE(call_and_wait(*port_, op::SetXattr{{}, entry->node, "user.mine", as_bytes("kept")}));
  EXPECT_EQ(ask("PUT", "/a", {}, "two").status, 204);
  auto after = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  EXPECT_EQ(after->attr.mode & 07777, 0640u);
  auto value = call_and_wait(*port_, op::GetXattr{{}, after->node, "user.mine"});
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, "kept");
  for (NodeId node : {entry->node, after->node}) (void)call_and_wait(*port_, op::Forget{{}, node, 1});
}

TEST_F(DoorTest, WhatClientsOfSmbStoredOfAFileIsSeenAndStays) {
  ask("PUT", "/a", {}, "one");
  auto entry = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  ASSERT_TRUE(entry);
  const std::string stored = write_dos_facts({0x2002, file_time({1'000'000'000, 0})});
  ASSERT_TRUE(call_and_wait(*port_, op::SetXattr{{}, entry->node, kDosXattr, as_bytes(stored)}));
  const std::string head = R"(xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:">)";
  auto seen =
      ask("PROPFIND", "/a", {{"Depth", "0"}},
          "<D:propfind " + head + "<D:prop><Z:Win32CreationTime/><Z:Win32FileAttributes/></D:prop></D:propfind>");
  EXPECT_THAT(seen.body, HasSubstr("Sun, 09 Sep 2001 01:46:40 GMT"));
  EXPECT_THAT(seen.body, HasSubstr("00000002"));
  auto patch = [&](const std::string& property) {
    auto patched =
        ask("PROPPATCH", "/a", {},
            "<D:propertyupdate " + head + "<D:set><D:prop>" + property + "</D:prop></D:set></D:propertyupdate>");
    EXPECT_THAT(patched.body, HasSubstr("200 OK"));
    auto value = call_and_wait(*port_, op::GetXattr{{}, entry->node, kDosXattr});
    return value ? read_dos_facts(*value) : DosFacts{};
  };
  EXPECT_EQ(patch("<Z:Win32FileAttributes>00000021</Z:Win32FileAttributes>"),
            (DosFacts{0x2021, file_time({1'000'000'000, 0})}));
  EXPECT_EQ(patch("<Z:Win32CreationTime>Tue, 06 Nov 2001 08:49:37 GMT</Z:Win32CreationTime>"),
            (DosFacts{0x2021, file_time({1'005'036'577, 0})}));
  (void)call_and_wait(*port_, op::Forget{{}, entry->node, 1});
}

TEST_F(DoorTest, FilesOfSeveralNamesStayOne) {
  ask("PUT", "/a", {}, "a rather long first content");
  auto entry = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  auto linked = call_and_wait(*port_, op::Link{{}, entry->node, NodeId::root, "b"});
  ASSERT_TRUE(linked);
  (void)call_and_wait(*port_, op::Forget{{}, entry->node, 2});
  EXPECT_EQ(ask("PUT", "/a", {}, "second").status, 204);
  EXPECT_EQ(ask("GET", "/b").body, "second");
}

TEST_F(DoorTest, LinksShowWhatTheyLeadToAndNeverLeaveTheExport) {
  ask("PUT", "/target", {}, "behind the link");
  for (auto [name, target] : std::vector<std::pair<const char*, const char*>>{
           {"good", "target"}, {"absolute", "/target"}, {"out", "../../../../etc/passwd"}, {"broken", "nowhere"}}) {
    auto made = call_and_wait(*port_, op::Symlink{{}, NodeId::root, name, target});
    ASSERT_TRUE(made);
    (void)call_and_wait(*port_, op::Forget{{}, made->node, 1});
  }
  EXPECT_EQ(ask("GET", "/good").body, "behind the link");
  EXPECT_EQ(ask("GET", "/absolute").body, "behind the link");
  EXPECT_THAT(ask("GET", "/out").body, Not(HasSubstr("root:")));
  auto broken = ask("GET", "/broken");
  EXPECT_EQ(broken.status, 200);
  EXPECT_EQ(broken.body, "");
  EXPECT_THAT(broken.field("x-isthmus-reason"), HasSubstr("nowhere"));
  auto list = ask("PROPFIND", "/", {{"Depth", "1"}});
  EXPECT_THAT(list.body, HasSubstr("/broken<"));
  EXPECT_THAT(list.body, HasSubstr("<D:getcontentlength>15</D:getcontentlength>"));
  EXPECT_EQ(ask("DELETE", "/good").status, 204);  // the link, not what it leads to
  EXPECT_EQ(ask("GET", "/target").status, 200);
}

TEST_F(DoorTest, LongListingsComeInParts) {
  constexpr int kFiles = 3000, kAtOnce = 100;
  Client client(port());
  for (int i = 0; i < kFiles; i += kAtOnce) {
    std::string some;
    for (int k = i; k < i + kAtOnce; k++) some += text("PUT", "/file%20number%20" + std::to_string(k));
    ASSERT_TRUE(client.send(some));
    for (int k = 0; k < kAtOnce; k++) ASSERT_EQ(client.read().status, 201);
  }
  auto list = ask("PROPFIND", "/", {{"Depth", "1"}});
  EXPECT_EQ(list.status, 207);
  EXPECT_EQ(list.field("transfer-encoding"), "chunked");
  std::set<std::string> hrefs;
  constexpr std::string_view kHref = "<D:href>";
  for (size_t at = list.body.find(kHref); at != std::string::npos; at = list.body.find(kHref, at + 1))
    EXPECT_TRUE(hrefs.insert(list.body.substr(at, list.body.find('<', at + 1) - at)).second);
  for (int i = 0; i < kFiles; i++) EXPECT_TRUE(hrefs.count("<D:href>/file%20number%20" + std::to_string(i))) << i;
  EXPECT_EQ(hrefs.size(), kFiles + 1u);
  EXPECT_TRUE(list.body.ends_with("</D:multistatus>"));
}

TEST_F(DoorTest, SecretHostAndOrigin) {
  Options options;
  options.secret = "thesecret";
  start(options);
  EXPECT_EQ(ask("PUT", "/thesecret/a", {}, "x").status, 201);
  EXPECT_EQ(ask("GET", "/thesecret/a").status, 200);
  EXPECT_EQ(ask("GET", "/a").status, 404);
  EXPECT_EQ(ask("GET", "/thesecre/a").status, 404);
  EXPECT_EQ(ask("GET", "/").status, 404);
  EXPECT_EQ(ask("OPTIONS", "/").status, 200);
  EXPECT_THAT(ask("PROPFIND", "/", {{"Depth", "1"}}).body, Not(HasSubstr("thesecret")));
  EXPECT_EQ(raw("GET /thesecret/a HTTP/1.1\r\nHost: 127.evil.com\r\n\r\n").status, 421);
  EXPECT_EQ(raw("GET /thesecret/a HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) + "\r\n\r\n").status, 200);
  EXPECT_EQ(ask("GET", "/thesecret/a", {{"Origin", "http://evil.example"}}).status, 403);
  EXPECT_EQ(ask("GET", "/thesecret/a", {{"Origin", "null"}}).status, 403);
  EXPECT_EQ(ask("GET", "/thesecret/a", {{"Sec-Fetch-Site", "same-site"}}).status, 403);
  EXPECT_EQ(ask("OPTIONS", "/thesecret/", {{"Access-Control-Request-Method", "PUT"}}).status, 403);
  EXPECT_EQ(ask("COPY", "/thesecret/a", {{"Destination", "/b"}}).status, 403);
  EXPECT_EQ(ask("COPY", "/thesecret/a", {{"Destination", "http://elsewhere/thesecret/b"}}).status, 502);
  EXPECT_EQ(ask("COPY", "/thesecret/a", {{"Destination", "http://" + host() + "/thesecret/b"}}).status, 201);
}

TEST_F(DoorTest, Passwords) {
  Options options;
  options.auth = Options::Auth::basic;
  options.user = "me";
  options.password = "secret";
  start(options);
  auto refused = ask("GET", "/");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.field("www-authenticate"), HasSubstr("Basic"));
  EXPECT_EQ(ask("GET", "/", {{"Authorization", "Basic bWU6c2VjcmV0"}}).status, 200);
  EXPECT_EQ(ask("GET", "/", {{"Authorization", "Basic bWU6d3Jvbmc="}}).status, 401);
  options.auth = Options::Auth::digest;
  start(options);
  EXPECT_THAT(ask("GET", "/").field("www-authenticate"), HasSubstr("Digest"));
  EXPECT_EQ(ask("GET", "/", {{"Authorization", "Basic bWU6c2VjcmV0"}}).status, 401);
}

TEST_F(DoorTest, LocksKeepOthersOut) {
  const std::string info =
      R"(<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>)";
  auto locked = ask("LOCK", "/a", {{"Timeout", "Second-600"}}, info);
  EXPECT_EQ(locked.status, 201);
  const std::string token = locked.field("lock-token");
  EXPECT_EQ(ask("PUT", "/a", {}, "x").status, 423);
  EXPECT_EQ(ask("DELETE", "/a").status, 423);
  EXPECT_EQ(ask("LOCK", "/a", {}, info).status, 423);
  EXPECT_EQ(ask("PUT", "/a", {{"If", "(" + token + ")"}}, "x").status, 204);
  EXPECT_EQ(ask("LOCK", "/a", {{"If", "(" + token + ")"}, {"Timeout", "Second-60"}}).status, 200);
  EXPECT_EQ(ask("UNLOCK", "/a", {{"Lock-Token", "<urn:uuid:no>"}}).status, 409);
  EXPECT_EQ(ask("UNLOCK", "/a", {{"Lock-Token", token}}).status, 204);
  EXPECT_EQ(ask("PUT", "/a", {}, "y").status, 204);
}

/// What Windows' client sends to save a file.
TEST_F(DoorTest, WindowsSavesAFile) {
  const Fields windows = {{"User-Agent", "Microsoft-WebDAV-MiniRedir/10.0.22631"}, {"Translate", "f"}};
  auto with = [&](Fields more) {
    more.insert(more.end(), windows.begin(), windows.end());
    return more;
  };
  auto options = ask("OPTIONS", "/", windows);
  EXPECT_THAT(options.field("dav"), HasSubstr("1, 2"));
  EXPECT_EQ(options.field("ms-author-via"), "DAV");
  EXPECT_EQ(ask("PROPFIND", "/new.txt", with({{"Depth", "0"}})).status, 404);
  EXPECT_EQ(ask("PUT", "/new.txt", windows).status, 201);
  auto locked = ask(
      "LOCK", "/new.txt", with({{"Timeout", "Second-3600"}}),
      R"(<?xml version="1.0" encoding="utf-8"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>)"
      R"(<D:locktype><D:write/></D:locktype><D:owner><D:href>PC\me</D:href></D:owner></D:lockinfo>)");
  EXPECT_EQ(locked.status, 200);
  const std::string token = locked.field("lock-token");
  auto patched = ask(
      "PROPPATCH", "/new.txt", with({{"If", "(" + token + ")"}}),
      R"(<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>)"
      R"(<Z:Win32CreationTime>Tue, 06 Nov 2001 08:49:37 GMT</Z:Win32CreationTime>)"
      R"(<Z:Win32LastAccessTime>Tue, 06 Nov 2001 08:49:37 GMT</Z:Win32LastAccessTime>)"
      R"(<Z:Win32LastModifiedTime>Tue, 06 Nov 2001 08:49:37 GMT</Z:Win32LastModifiedTime>)"
      R"(<Z:Win32FileAttributes>00000022</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>)");
  EXPECT_EQ(patched.status, 207);
  EXPECT_THAT(patched.body, HasSubstr("200 OK"));
  EXPECT_THAT(patched.body, Not(AnyOf(HasSubstr("403"), HasSubstr("424"))));
  EXPECT_EQ(ask("HEAD", "/new.txt", windows).field("content-length"), "0");
  EXPECT_EQ(ask("PUT", "/new.txt", with({{"If", "(" + token + ")"}}), "content").status, 204);
  auto again = ask("PROPPATCH", "/new.txt", with({{"If", "(" + token + ")"}}),
                   R"(<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>)"
                   R"(<Z:Win32LastModifiedTime>Tue, 06 Nov 2001 08:49:37 GMT</Z:Win32LastModifiedTime>)"
                   R"(<Z:Win32FileAttributes>00000021</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>)");
  EXPECT_EQ(again.status, 207);
  EXPECT_EQ(ask("UNLOCK", "/new.txt", with({{"Lock-Token", token}})).status, 204);
  auto seen = ask("PROPFIND", "/new.txt", with({{"Depth", "0"}}),
                  R"(<D:propfind xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:prop><D:getlastmodified/>)"
                  R"(<Z:Win32FileAttributes/></D:prop></D:propfind>)");
  EXPECT_THAT(seen.body, HasSubstr("Tue, 06 Nov 2001 08:49:37 GMT"));
  EXPECT_THAT(seen.body, HasSubstr("00000021"));
  // Names that it cannot take, and back.
  EXPECT_EQ(ask("PUT", "/a%3Ab", {}, "colon").status, 201);
  auto list = ask("PROPFIND", "/", with({{"Depth", "1"}}));
  EXPECT_THAT(list.body, HasSubstr("/a%EF%80%BAb<"));
  EXPECT_EQ(ask("GET", "/a%EF%80%BAb", windows).body, "colon");
  // It takes 1,000,000 bytes of a listing at most.
  for (int i = 0; i < 100; i++) ask("PUT", fmt::format("/file{:03}.txt", i), {}, "x");
  const size_t less = list.body.size(), more = ask("PROPFIND", "/", with({{"Depth", "1"}})).body.size();
  EXPECT_LE((more - less) / 100, 315u) << "bytes an entry";
}

TEST_F(DoorTest, MacosIsToldNoQuotaWhereThatDelaysItsMount) {
  const std::string body =
      R"(<D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>)";
  auto old =
      ask("PROPFIND", "/", {{"Depth", "0"}, {"User-Agent", "WebDAVFS/3.0.0 (03008000) Darwin/23.1.0 (arm64)"}}, body);
  EXPECT_THAT(old.body, HasSubstr("<D:quota-available-bytes>"));
  auto slow =
      ask("PROPFIND", "/", {{"Depth", "0"}, {"User-Agent", "WebDAVFS/3.0.0 (03008000) Darwin/24.4.0 (arm64)"}}, body);
  EXPECT_THAT(slow.body, Not(HasSubstr("<D:quota-available-bytes>")));
}

TEST_F(DoorTest, TreesAreCopiedMovedAndRemovedWhole) {
  for (const char* dir : {"/t", "/t/d", "/t/d/e"}) EXPECT_EQ(ask("MKCOL", dir).status, 201);
  for (const char* file : {"/t/1", "/t/d/2", "/t/d/e/3"}) EXPECT_EQ(ask("PUT", file, {}, file).status, 201);
  EXPECT_EQ(ask("COPY", "/t", {{"Destination", "/u"}}).status, 201);
  EXPECT_EQ(ask("GET", "/u/d/e/3").body, "/t/d/e/3");
  EXPECT_EQ(ask("COPY", "/t", {{"Destination", "/t/d/x"}}).status, 403);
  EXPECT_EQ(ask("MOVE", "/t", {{"Destination", "/u"}, {"Overwrite", "F"}}).status, 412);
  EXPECT_EQ(ask("MKCOL", "/u/only-here").status, 201);
  EXPECT_EQ(ask("MOVE", "/t", {{"Destination", "/u"}}).status, 204);
  EXPECT_EQ(ask("GET", "/t/1").status, 404);
  EXPECT_EQ(ask("GET", "/u/only-here/").status, 404);
  EXPECT_EQ(ask("GET", "/u/d/2").body, "/t/d/2");
  EXPECT_EQ(ask("DELETE", "/u").status, 204);
  EXPECT_THAT(ask("PROPFIND", "/", {{"Depth", "1"}}).body, Not(HasSubstr("isthmus")));
}

TEST_F(DoorTest, PropertiesThatOthersWroteDoNotSpoilListings) {
  ask("PUT", "/a", {}, "x");
  auto entry = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  ASSERT_TRUE(entry);
  const std::string bad =
      DeadProps::encode({{{"urn:x", "good"}, "kept", ""}, {{"urn:x", "bad"}, "</D:prop><oops", ""}});
  for (const std::string& value :
       {bad, bad.substr(0, bad.size() - 3), std::string("\x01\xff\xff\xff\xff", 5), std::string("junk")}) {
    ASSERT_TRUE(call_and_wait(*port_, op::SetXattr{{}, entry->node, DeadProps::kXattr, as_bytes(value)}));
    auto list = ask("PROPFIND", "/", {{"Depth", "1"}});
    EXPECT_EQ(list.status, 207);
    EXPECT_THAT(list.body, Not(HasSubstr("oops")));
    EXPECT_TRUE(list.body.ends_with("</D:multistatus>"));
  }
  (void)call_and_wait(*port_, op::Forget{{}, entry->node, 1});
}

TEST_F(DoorTest, FilesWithoutPropertiesAreAskedOnce) {
  ask("PUT", "/a", {}, "x");
  auto entry = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  ASSERT_TRUE(entry);
  const NodeId node = entry->node;
  Files files(*port_, {});
  DeadProps props;
  const std::vector<DeadProp> some{{{"urn:x", "some"}, "kept", ""}};
  auto set = [&] {
    const std::string text = DeadProps::encode(some);
    return call_and_wait(*port_, op::SetXattr{{}, node, DeadProps::kXattr, as_bytes(text)});
  };
  Attr attr = entry->attr;
  EXPECT_TRUE(props.load(files, node, attr)->empty());
  ASSERT_TRUE(set());
  EXPECT_EQ(*props.load(files, node, attr), some);  // made within a step of the clock
  ASSERT_TRUE(props.store(files, node, {}));
  attr.ctime.sec -= 60;
  EXPECT_TRUE(props.load(files, node, attr)->empty());
  ASSERT_TRUE(set());
  EXPECT_TRUE(props.load(files, node, attr)->empty());
  EXPECT_EQ(*props.load(files, node), some);
  attr.ctime.sec += 1;
  EXPECT_EQ(*props.load(files, node, attr), some);
  attr.ctime.sec -= 1;
  ++attr.ino;
  EXPECT_EQ(*props.load(files, node, attr), some);
  --attr.ino;
  ASSERT_TRUE(props.store(files, node, some));
  EXPECT_EQ(*props.load(files, node, attr), some);
  files.forget(node);
}

TEST_F(DoorTest, CountsWhatItDoes) {
  start({}, {}, "unlink:EIO");
  ask("PUT", "/a", {}, "12345");
  ask("GET", "/a");
  EXPECT_EQ(ask("DELETE", "/a").status, 500);
  EXPECT_EQ(ask("BREW", "/a").status, 501);
  auto m = door_->metrics();
  std::map<std::string, uint64_t> requests, failed;
  for (const auto& kind : m.kinds) {
    requests[kind.name] = kind.requests;
    failed[kind.name] = kind.failed;
  }
  EXPECT_EQ(requests, (std::map<std::string, uint64_t>{{"PUT", 1}, {"GET", 1}, {"DELETE", 1}, {"other", 1}}));
  EXPECT_EQ(failed["DELETE"], 1u);
  EXPECT_EQ(failed["GET"], 0u);
  EXPECT_EQ(m.bytes_in, 5u);
  EXPECT_GT(m.bytes_out, 400u);  // four heads
  EXPECT_EQ(std::accumulate(m.histogram.begin(), m.histogram.end(), uint64_t{0}), 4u);
  ASSERT_EQ(m.errors.size(), 1u);
  EXPECT_EQ(m.errors[0].what, "DELETE /a: 500 Internal Server Error");
  Client here(port());
  here.send(text("GET", "/a", {{"User-Agent", "a test"}}, ""));
  EXPECT_EQ(here.read().status, 200);
  bool seen = false;
  for (const auto& c : door_->metrics().clients) seen |= c.agent == "a test" && c.uid == geteuid() && c.requests == 1;
  EXPECT_TRUE(seen);
}

TEST_F(DoorTest, StopEndsUploadsInHand) {
  Client client(port());
  client.send("PUT /a HTTP/1.1\r\nHost: " + host() + "\r\nContent-Length: 1000\r\n\r\nhalf");
  for (int i = 0; i < 100 && fs_->counters().get(Op::Create) == 0; i++) usleep(10'000);
  door_.reset();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(fs_->counters().get(Op::Unlink), 1u);
  door_ = std::make_unique<WebdavDoor>(*port_, Options{});  // for TearDown
}

}  // namespace
}  // namespace isthmus::webdav::testing
