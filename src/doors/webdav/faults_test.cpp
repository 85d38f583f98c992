#include <thread>

#include "doors/webdav/test_door.h"

/// File systems that fail, and clients that meet at one name.
namespace isthmus::webdav::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

std::string patch(const std::string& name, const std::string& value) {
  return "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><x:" + name + " xmlns:x=\"urn:x\">" + value +
         "</x:" + name + "></D:prop></D:set></D:propertyupdate>";
}

class FaultsTest : public DoorTest {
 protected:
  /// An upload of which all but the last byte has come.
  std::unique_ptr<Client> half_put(const std::string& path, const std::string& body, const Fields& fields) {
    auto client = std::make_unique<Client>(port());
    const auto made = fs_->counters().get(Op::Create);
    std::string request = text("PUT", path, fields, body);
    request.pop_back();
    EXPECT_TRUE(client->send(request));
    for (int i = 0; i < 1000 && fs_->counters().get(Op::Create) == made; i++) std::this_thread::sleep_for(5ms);
    return client;
  }
};

TEST_F(FaultsTest, OfTwoUploadsWithAConditionOneIsRefused) {
  const std::string etag = ask("PUT", "/a", {}, "old").field("etag");
  auto one = half_put("/a", "one.", {{"If-Match", etag}});
  auto two = half_put("/a", "two.", {{"If-Match", etag}});
  one->send(".");
  EXPECT_EQ(one->read().status, 204);
  two->send(".");
  EXPECT_EQ(two->read().status, 412);
  EXPECT_EQ(ask("GET", "/a").body, "one.");

  auto first = half_put("/new", "first.", {{"If-None-Match", "*"}});
  auto second = half_put("/new", "second.", {{"If-None-Match", "*"}});
  first->send(".");
  EXPECT_EQ(first->read().status, 201);
  second->send(".");
  EXPECT_EQ(second->read().status, 412);
  EXPECT_EQ(ask("GET", "/new").body, "first.");
}

TEST_F(FaultsTest, AnUploadKeepsWhatOthersChangedMeanwhile) {
  ask("PUT", "/a", {}, "old");
  auto put = half_put("/a", "new.", {});
  EXPECT_EQ(ask("PROPPATCH", "/a", {}, patch("color", "blue")).status, 207);
  auto entry = call_and_wait(*port_, op::Lookup{{}, NodeId::root, "a"});
  ASSERT_TRUE(entry);
  auto linked = call_and_wait(*port_, op::Link{{}, entry->node, NodeId::root, "b"});
  ASSERT_TRUE(linked);
  (void)call_and_wait(*port_, op::Forget{{}, entry->node, 2});
  put->send(".");
  EXPECT_EQ(put->read().status, 204);
  EXPECT_EQ(ask("GET", "/b").body, "new.");  // still one file
  EXPECT_THAT(ask("PROPFIND", "/a", {{"Depth", "0"}}).body, HasSubstr("blue"));
}

TEST_F(FaultsTest, AnUploadInADirectoryThatWentSaysSo) {
  ask("MKCOL", "/d");
  auto put = half_put("/d/a", "new.", {});
  EXPECT_EQ(ask("MOVE", "/d", {{"Destination", "/e"}}).status, 201);
  put->send(".");
  EXPECT_EQ(put->read().status, 409);
  EXPECT_EQ(ask("GET", "/e/a").status, 404);
}

TEST_F(FaultsTest, PropertiesThatCannotBeReadAreNotWiped) {
  start({}, {}, "get_xattr:EIO:after=1:count=1");
  ask("PUT", "/a", {}, "x");
  EXPECT_EQ(ask("PROPPATCH", "/a", {}, patch("color", "blue")).status, 207);
  EXPECT_EQ(ask("PROPPATCH", "/a", {}, patch("size", "big")).status, 500);
  EXPECT_EQ(ask("PROPPATCH", "/a", {}, patch("size", "big")).status, 207);
  auto all = ask("PROPFIND", "/a", {{"Depth", "0"}}).body;
  EXPECT_THAT(all, HasSubstr("blue"));
  EXPECT_THAT(all, HasSubstr("big"));
}

TEST_F(FaultsTest, AMoveToAnotherDeviceKeepsOwnersAndTimes) {
  start({}, {}, "rename:EXDEV:after=1:count=1");
  ask("MKCOL", "/d");
  ask("PUT", "/d/a", {}, "text");
  auto node = [&](NodeId dir, std::string_view name) { return call_and_wait(*port_, op::Lookup{{}, dir, name})->node; };
  const NodeId dir = node(NodeId::root, "d"), file = node(dir, "a");
  auto link = call_and_wait(*port_, op::Symlink{{}, dir, "link", "a"});
  ASSERT_TRUE(link);
  SetAttr to;
  to.mask = kSetUid | kSetGid;
  to.to.uid = 1007;
  to.to.gid = 1008;
  for (NodeId n : {dir, file, link->node}) ASSERT_TRUE(call_and_wait(*port_, op::Setattr{{}, n, HandleId::none, to}));
  to.mask = kSetMode;
  to.to.mode = 06755;
  ASSERT_TRUE(call_and_wait(*port_, op::Setattr{{}, file, HandleId::none, to}));
  to.mask = kSetAtime | kSetMtime;
  to.to.atime = {1'000'000'000, 1};
  to.to.mtime = {1'100'000'000, 2};
  for (NodeId n : {file, link->node, dir}) ASSERT_TRUE(call_and_wait(*port_, op::Setattr{{}, n, HandleId::none, to}));
  for (NodeId n : {file, link->node, dir}) (void)call_and_wait(*port_, op::Forget{{}, n, 1});

  EXPECT_EQ(ask("MOVE", "/d", {{"Destination", "/e"}}).status, 201);
  EXPECT_EQ(ask("GET", "/d/a").status, 404);
  EXPECT_EQ(ask("GET", "/e/a").body, "text");
  const NodeId there = node(NodeId::root, "e");
  for (auto [name, mode] : {std::pair{"", S_IFDIR | 0755u}, {"a", S_IFREG | 06755u}, {"link", S_IFLNK | 0777u}}) {
    const NodeId n = *name ? node(there, name) : there;
    const Attr is = call_and_wait(*port_, op::Getattr{{}, n, HandleId::none})->attr;
    EXPECT_EQ(is.mode, mode) << name;
    EXPECT_EQ(is.uid, 1007u) << name;
    EXPECT_EQ(is.gid, 1008u) << name;
    EXPECT_EQ(is.mtime, (Time{1'100'000'000, 2})) << name;
    EXPECT_TRUE(!*name || is.atime.sec == 1'000'000'000) << name;
    if (*name) (void)call_and_wait(*port_, op::Forget{{}, n, 1});
  }
  (void)call_and_wait(*port_, op::Forget{{}, there, 1});
}

TEST_F(FaultsTest, AMoveToAnotherDeviceKeepsTheSourceUntilAllIsOnTheDisk) {
  struct {
    const char* failing;
    int status;
  } const cases[] = {{"fsync", 207}, {"fsync_dir", 500}, {"fsync_dir", 500}};
  for (size_t i = 0; i < std::size(cases); ++i) {
    const auto& c = cases[i];
    // The last one: of the directory where the copy got its name.
    start({}, {}, std::string("rename:EXDEV:after=1:count=1;") + c.failing + ":EIO" + (i == 2 ? ":after=1" : ""));
    ask("MKCOL", "/d");
    ask("PUT", "/d/a", {}, "text");
    EXPECT_EQ(ask("MOVE", "/d", {{"Destination", "/e"}}).status, c.status) << i;
    EXPECT_EQ(ask("GET", "/d/a").body, "text") << i;
    EXPECT_EQ(ask("GET", "/e/a").status, i == 2 ? 200 : 404) << i;
  }
}

TEST_F(FaultsTest, AFullDiskDoesNotTakePropertiesAway) {
  start({}, {}, "set_xattr:ENOSPC:after=1");
  ask("PUT", "/a", {}, "old");
  EXPECT_EQ(ask("PROPPATCH", "/a", {}, patch("color", "blue")).status, 207);
  EXPECT_EQ(ask("PUT", "/a", {}, "new").status, 507);
  EXPECT_EQ(ask("GET", "/a").body, "old");
  EXPECT_THAT(ask("PROPFIND", "/a", {{"Depth", "0"}}).body, HasSubstr("blue"));
  EXPECT_EQ(ask("COPY", "/a", {{"Destination", "/b"}}).status, 507);
  EXPECT_EQ(ask("GET", "/b").status, 404);
}

TEST_F(FaultsTest, TwoWhoChangePropertiesLoseNothing) {
  ask("PUT", "/a", {}, "x");
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; i++)
    clients.emplace_back([&, i] {
      for (int k = 0; k < 5; k++) {
        const std::string name = "p" + std::to_string(i) + "x" + std::to_string(k);
        EXPECT_EQ(ask("PROPPATCH", "/a", {}, patch(name, "here")).status, 207);
      }
    });
  for (auto& c : clients) c.join();
  const std::string all = ask("PROPFIND", "/a", {{"Depth", "0"}}).body;
  size_t found = 0;
  for (size_t at = all.find("here"); at != std::string::npos; at = all.find("here", at + 1)) ++found;
  EXPECT_EQ(found, 40u);
}

TEST_F(FaultsTest, EveryStepOfAPutMayFail) {
  for (const char* step :
       {"create", "write", "fsync", "flush", "rename", "getattr", "setattr", "list_xattr", "set_xattr"}) {
    for (const char* how : {"EIO", "ENOSPC", "EACCES"}) {
      for (const char* after : {"0", "1", "2"}) {
        const std::string rule = std::string(step) + ":" + how + ":count=1:after=" + after;
        start({}, {}, rule);
        std::string now;
        // Whatever the server says is so.
        for (const char* content : {"one", "two", "three", "four", "five"}) {
          const int status = ask("PUT", "/a", {}, content).status;
          if (status == 201 || status == 204) now = content;
          EXPECT_EQ(ask("GET", "/a").body.substr(0, now.size()), now) << rule << ' ' << content << ' ' << status;
        }
        EXPECT_EQ(now, "five") << rule;
        EXPECT_THAT(ask("GET", "/").body, Not(HasSubstr(".~"))) << rule;
      }
    }
  }
}

TEST_F(FaultsTest, AFileSystemThatMakesNoFilesHasThemWritten) {
  start({}, {}, "create:ENOSYS:after=1");
  EXPECT_EQ(ask("PUT", "/a", {}, "what is there, and long").status, 201);
  const std::string etag = ask("GET", "/a").field("etag");
  EXPECT_EQ(ask("PUT", "/a", {{"If-Match", "\"other\""}}, "refused").status, 412);
  EXPECT_EQ(ask("PUT", "/a", {{"If-Match", etag}}, "new").status, 204);
  EXPECT_EQ(ask("GET", "/a").body, "new");
  EXPECT_EQ(ask("PUT", "/a", {}, "").status, 204);
  EXPECT_EQ(ask("GET", "/a").body, "");
  EXPECT_GE(ask("PUT", "/b", {}, "none is made").status, 400);
  EXPECT_EQ(ask("GET", "/b").status, 404);
}

TEST_F(FaultsTest, TreesChangePlacesInOneStep) {
  start({}, {}, "rename:EIO:after=3:count=1");  // after two uploads, and the exchange
  for (const char* dir : {"/a", "/b"}) ask("MKCOL", dir);
  ask("PUT", "/a/new", {}, "new");
  ask("PUT", "/b/old", {}, "old");
  EXPECT_EQ(ask("MOVE", "/a", {{"Destination", "/b"}}).status, 204);
  EXPECT_EQ(ask("GET", "/b/new").body, "new");
  EXPECT_EQ(ask("GET", "/b/old").status, 404);
  EXPECT_EQ(ask("PROPFIND", "/a", {{"Depth", "0"}}).status, 404);
  EXPECT_THAT(ask("GET", "/").body, Not(HasSubstr(".~")));
}

TEST_F(FaultsTest, OldContentGoesOnlyWhenTheNewIsOnTheDisk) {
  start({}, {}, "fsync:EIO");
  EXPECT_EQ(ask("PUT", "/a", {}, "old").status, 201);
  EXPECT_EQ(ask("PUT", "/a", {}, "new").status, 500);
  EXPECT_EQ(ask("GET", "/a").body, "old");
}

TEST_F(FaultsTest, AFileSystemThatHangsIsGivenUp) {
  start({}, {}, "unlink:delay=3s", 200ms);
  EXPECT_EQ(ask("MKCOL", "/d").status, 201);
  for (int i = 0; i < 10; i++) ask("PUT", "/d/" + std::to_string(i), {}, "x");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(ask("DELETE", "/d").status, 207);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
}

TEST_F(FaultsTest, MacosUploadsWithoutTheLastChunk) {
  const Fields mac = {{"User-Agent", "WebDAVFS/3.0.0 (03008000) Darwin/23.1.0 (arm64)"},
                      {"Transfer-Encoding", "chunked"},
                      {"X-Expected-Entity-Length", "6"}};
  auto head = [&](const std::string& path) {
    std::string s = "PUT " + path + " HTTP/1.1\r\nHost: " + host() + "\r\n";
    for (auto& [name, value] : mac) s += name + ": " + value + "\r\n";
    return s + "\r\n";
  };
  Client client(port());
  for (const char* end : {"", "\r\n", "\r\n0\r\n", "\r\n0\r\n\r\n"}) {
    // The answer comes although the end does not; what comes of it later is no request.
    client.send(head("/a") + "3\r\nabc\r\n3\r\ndef");
    const int status = client.read().status;
    EXPECT_TRUE(status == 201 || status == 204) << status;
    client.send(end + text("GET", "/a"));
    if (std::string_view(end).size() <= 2 || std::string_view(end).ends_with("\r\n\r\n"))
      EXPECT_EQ(client.read().body, "abcdef") << end;
    else
      break;
  }
  Client whole(port());
  whole.send(head("/b") + "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" + text("GET", "/b"));
  EXPECT_EQ(whole.read().status, 201);
  EXPECT_EQ(whole.read().body, "abcdef");
  Client longer(port());  // what it told was wrong: all that it sends counts
  longer.send(head("/c") + "8\r\nabcdefgh\r\n0\r\n\r\n");
  EXPECT_EQ(longer.read().status, 201);
  EXPECT_EQ(ask("GET", "/c").body, "abcdefgh");
  Client shorter(port());
  shorter.send(head("/d") + "3\r\nabc\r\n");
  shorter.end();
  EXPECT_TRUE(shorter.closed());
  EXPECT_EQ(ask("GET", "/d").status, 404);
}

}  // namespace
}  // namespace isthmus::webdav::testing
