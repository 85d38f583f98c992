#include <poll.h>
#include <sys/resource.h>

#include <thread>

#include "doors/webdav/test_door.h"
#include "wire/http/auth.h"

/// Peers that are slow, silent or dishonest.
namespace isthmus::webdav::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

std::chrono::milliseconds cpu_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto ms = [](const timeval& t) { return std::chrono::milliseconds(t.tv_sec * 1000 + t.tv_usec / 1000); };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

TEST_F(DoorTest, AHeadThatComesByteByByteEndsInTime) {
  Options options;
  options.head_time = 1s;
  start(options);
  Client client(port());
  const auto began = Clock::now();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nX: "));
  bool alive = true;
  while (alive && Clock::now() - began < 15s) {
    alive = client.send("x");
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_FALSE(alive);
}

TEST_F(DoorTest, SilentConnectionsMakeRoom) {
  Options options;
  options.max_connections = 4;
  start(options);
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 8; i++) {
    silent.push_back(std::make_unique<Client>(port()));
    EXPECT_EQ(ask("OPTIONS", "/").status, 200) << i;
  }
}

TEST_F(DoorTest, WhoSendsNoMoreAndTakesNothingCostsNothing) {
  ASSERT_EQ(ask("PUT", "/a", {}, std::string(32 << 20, 'x')).status, 201);
  Client client(port());
  ASSERT_TRUE(client.send(text("GET", "/a")));
  client.end();
  std::this_thread::sleep_for(500ms);  // the sockets are full
  const auto before = cpu_time();
  std::this_thread::sleep_for(1s);
  EXPECT_LT((cpu_time() - before).count(), 500);
  EXPECT_EQ(client.read().body.size(), size_t{32} << 20);
}

TEST_F(DoorTest, RefusedHeadsHaveNoBody) {
  Options options;
  options.secret = "thesecret";
  start(options);
  Client client(port());
  ASSERT_TRUE(client.send(text("HEAD", "/elsewhere") + text("OPTIONS", "/")));
  EXPECT_EQ(client.read(true).status, 404);
  EXPECT_EQ(client.read().status, 200);
}

TEST_F(DoorTest, DigestsAreNotPlayedAgain) {
  Options options;
  options.auth = Options::Auth::digest;
  options.user = "me";
  options.password = "secret";
  start(options);
  const std::string asked = ask("GET", "/").field("www-authenticate");
  const size_t at = asked.find("nonce=\"") + 7;
  http::DigestCredentials d;
  d.user = "me", d.realm = "isthmus", d.uri = "/", d.cnonce = "abc", d.algorithm = http::DigestAlgorithm::sha256;
  d.nonce = asked.substr(at, asked.find('"', at) - at);
  auto with = [&](const char* count) {
    d.nc = count;
    const std::string response =
        http::digest_response(d, http::digest_ha1(d.algorithm, d.user, d.realm, "secret"), "GET");
    return ask("GET", "/",
               {{"Authorization", "Digest username=\"me\", realm=\"isthmus\", nonce=\"" + d.nonce +
                                      "\", uri=\"/\", algorithm=SHA-256, qop=auth, cnonce=\"abc\", nc=" + d.nc +
                                      ", response=\"" + response + "\""}});
  };
  EXPECT_EQ(with("00000001").status, 200);
  EXPECT_EQ(with("00000003").status, 200);
  EXPECT_EQ(with("00000002").status, 200);
  for (const char* again : {"00000001", "00000002", "00000003", "00000000"}) {
    auto refused = with(again);
    EXPECT_EQ(refused.status, 401) << again;
    EXPECT_THAT(refused.field("www-authenticate"), HasSubstr("stale=true"));
  }
  EXPECT_EQ(with("00000100").status, 200);
  EXPECT_EQ(with("00000004").status, 401);
}

TEST_F(DoorTest, ALongListingStandsInMemoryInPieces) {
  Client filler(port());
  for (int i = 0; i < 300; i++) {
    ASSERT_TRUE(filler.send(text("PUT", "/f" + std::to_string(i))));
    ASSERT_EQ(filler.read().status, 201);
  }
  // A thousand missing properties of 1 KiB each, of 300 files: 300 MiB, if all were written down at once.
  std::string body = "<propfind xmlns=\"DAV:\"><prop xmlns=\"" + std::string(1000, 'n') + "\">";
  body = "<D:propfind xmlns:D=\"DAV:\" xmlns:n=\"" + std::string(1000, 'n') + "\"><D:prop>";
  for (int i = 0; i < 900; i++) body += "<n:p" + std::to_string(i) + "/>";
  body += "</D:prop></D:propfind>";
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  {
    Client client(port());
    ASSERT_TRUE(client.send(text("PROPFIND", "/", {{"Depth", "1"}}, body)));
    std::this_thread::sleep_for(1s);
    getrusage(RUSAGE_SELF, &after);
  }
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);  // KiB
}

}  // namespace
}  // namespace isthmus::webdav::testing
