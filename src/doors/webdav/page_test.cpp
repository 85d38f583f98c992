#include "doors/webdav/assets.h"
#include "doors/webdav/test_door.h"

namespace isthmus::webdav {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PageTest : public testing::DoorTest {
 protected:
  static std::string nonce_of(const testing::Reply& page) {
    const std::string policy = page.field("content-security-policy");
    const size_t at = policy.find("script-src 'nonce-");
    return at == std::string::npos ? "" : policy.substr(at + 18, policy.find('\'', at + 18) - at - 18);
  }
};

TEST_F(PageTest, AssetsHaveTypesTagsAndPolicies) {
  size_t total = 0;
  for (const Asset& asset : assets()) {
    const std::string url = "/?isthmus=" + std::string(asset.name);
    auto got = ask("GET", url);
    ASSERT_EQ(got.status, 200) << url;
    EXPECT_EQ(got.body, asset.bytes);
    EXPECT_EQ(got.field("etag"), asset.etag);
    EXPECT_EQ(got.field("content-type"), asset.type);
    EXPECT_EQ(got.field("content-security-policy"), "default-src 'none'");
    EXPECT_EQ(got.field("x-content-type-options"), "nosniff");
    EXPECT_EQ(got.field("referrer-policy"), "no-referrer");
    auto head = ask("HEAD", url);
    EXPECT_EQ(head.field("content-length"), std::to_string(asset.bytes.size()));
    EXPECT_EQ(ask("GET", url, {{"If-None-Match", std::string(asset.etag)}}).status, 304);
    EXPECT_EQ(ask("GET", url, {{"If-None-Match", "\"other\""}}).status, 200);
    total += asset.bytes.size();
  }
  EXPECT_EQ(assets().size(), 3u);
  EXPECT_LT(total, 150'000u);
}

TEST_F(PageTest, StatusIsForThoseWhoHaveTheUrl) {
  for (std::string value : {"status", "status.json", "metrics", "commands"})
    EXPECT_EQ(ask("GET", "/?isthmus=" + value).status, 404) << value;
  EXPECT_THAT(ask("GET", "/").body, Not(HasSubstr("data-status")));
  Options options;
  options.secret = "hidden";
  options.status = StatusSource{[] { return "{\"a\":1}"; }, [] { return "a 1\n"; }, [] { return "mount it\n"; }};
  start(options);
  EXPECT_EQ(ask("GET", "/?isthmus=status.json").status, 404);
  auto page = ask("GET", "/hidden/?isthmus=status");
  ASSERT_EQ(page.status, 200);
  const std::string nonce = nonce_of(page);
  EXPECT_GE(nonce.size(), 26u);
  EXPECT_THAT(page.body, HasSubstr("nonce=\"" + nonce + "\" src=\"/hidden/?isthmus=status.js\""));
  EXPECT_EQ(ask("GET", "/hidden/?isthmus=status.json").body, "{\"a\":1}");
  EXPECT_EQ(ask("GET", "/hidden/?isthmus=status.json").field("content-type"), "application/json");
  EXPECT_EQ(ask("GET", "/hidden/?isthmus=metrics").body, "a 1\n");
  EXPECT_EQ(ask("HEAD", "/hidden/?isthmus=metrics").field("content-length"), "4");
  EXPECT_EQ(ask("GET", "/hidden/?isthmus=commands").body, "mount it\n");
  EXPECT_EQ(ask("DELETE", "/hidden/?isthmus=metrics").status, 405);
  EXPECT_THAT(ask("GET", "/hidden/").body, HasSubstr("data-status"));
}

TEST_F(PageTest, OnlyWhatCarriesTheNonceRuns) {
  ASSERT_EQ(ask("PUT", "/evil.js", {}, "alert(1)").status, 201);
  auto page = ask("GET", "/"), again = ask("GET", "/");
  const std::string nonce = nonce_of(page);
  EXPECT_GE(nonce.size(), 26u);
  EXPECT_NE(nonce, nonce_of(again));
  const std::string policy = page.field("content-security-policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, HasSubstr("base-uri 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(policy, Not(HasSubstr("script-src 'self'")));
  EXPECT_THAT(page.body, HasSubstr("<script nonce=\"" + nonce + "\" src=\"/?isthmus=page.js\"></script>"));
  EXPECT_THAT(page.body, Not(HasSubstr("<style")));
  EXPECT_THAT(page.body, Not(HasSubstr(" style=")));
  EXPECT_EQ(page.field("x-content-type-options"), "nosniff");
  EXPECT_EQ(page.field("referrer-policy"), "no-referrer");
  EXPECT_THAT(ask("GET", "/evil.js").field("content-security-policy"), HasSubstr("sandbox"));
}

TEST_F(PageTest, NamesAreText) {
  ASSERT_EQ(ask("PUT", "/%3Cscript%3Ealert(1)%3C%2Fscript%3E", {}, "x").status, 400);  // an escaped slash
  ASSERT_EQ(ask("PUT", "/%3Cimg%20src=x%20onerror=%22alert(1)%22%3E", {}, "x").status, 201);
  auto page = ask("GET", "/");
  EXPECT_THAT(page.body, Not(HasSubstr("<img")));
  EXPECT_THAT(page.body, HasSubstr("&lt;img src=x onerror="));
}

TEST_F(PageTest, LivesBelowTheSecretAndHidesNoFile) {
  Options options;
  options.secret = "s3cret";
  start(options);
  EXPECT_EQ(ask("GET", "/?isthmus=page.js").status, 404);
  EXPECT_EQ(ask("GET", "/s3cret/?isthmus=page.js").status, 200);
  EXPECT_THAT(ask("GET", "/s3cret/").body, HasSubstr("src=\"/s3cret/?isthmus=page.js\""));
  // A file may have any name.
  ASSERT_EQ(ask("PUT", "/s3cret/%3Fisthmus=page.js", {}, "mine").status, 201);
  EXPECT_EQ(ask("GET", "/s3cret/%3Fisthmus=page.js").body, "mine");
  ASSERT_EQ(ask("PUT", "/s3cret/page.js", {}, "mine too").status, 201);
  EXPECT_EQ(ask("GET", "/s3cret/page.js?x=1").body, "mine too");
  EXPECT_EQ(ask("GET", "/s3cret/page.js?isthmus=page.js").status, 404);
  EXPECT_EQ(ask("DELETE", "/s3cret/page.js?isthmus=page.js").status, 405);
  EXPECT_EQ(ask("GET", "/s3cret/page.js").body, "mine too");
}

TEST_F(PageTest, TellsThatNothingCanBeChanged) {
  EXPECT_THAT(ask("GET", "/").body, Not(HasSubstr("data-read-only")));
  Options options;
  options.read_only = true;
  start(options);
  EXPECT_THAT(ask("GET", "/").body, HasSubstr("<html lang=\"en\" data-root=\"/\" data-read-only>"));
  EXPECT_EQ(ask("PUT", "/a", {{"Upload-Complete", "?0"}, {"Upload-Length", "3"}}).status, 403);
}

TEST_F(PageTest, OtherSitesGetNothingOfIt) {
  for (const char* url : {"/", "/?isthmus=page.js"}) {
    EXPECT_EQ(ask("GET", url, {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
    EXPECT_EQ(ask("GET", url, {{"Sec-Fetch-Site", "same-site"}}).status, 403);
    EXPECT_EQ(ask("GET", url, {{"Origin", "http://evil.example"}}).status, 403);
    EXPECT_EQ(ask("GET", url, {{"Origin", "null"}}).status, 403);
    EXPECT_EQ(ask("GET", url, {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://" + host()}}).status, 200);
  }
}

TEST_F(PageTest, LargeFoldersComeInPieces) {
  ASSERT_EQ(ask("MKCOL", "/d").status, 201);
  testing::Client client(port());
  for (int i = 0; i < 1500; ++i) {
    client.send(text("PUT", "/d/file%20number%20" + std::to_string(i)));
    ASSERT_EQ(client.read().status, 201);
  }
  ASSERT_EQ(ask("MKCOL", "/d/z").status, 201);
  auto page = ask("GET", "/d/");
  EXPECT_EQ(page.field("transfer-encoding"), "chunked");
  EXPECT_TRUE(page.body.ends_with("</html>"));
  size_t rows = 0;
  for (size_t at = 0; (at = page.body.find("<tr><td>", at)) != std::string::npos; ++at) ++rows;
  EXPECT_EQ(rows, 1501u);
  // Folders first, then names by their numbers.
  EXPECT_LT(page.body.find(">z/<"), page.body.find(">file number 0<"));
  EXPECT_LT(page.body.find(">file number 9<"), page.body.find(">file number 10<"));
}

}  // namespace
}  // namespace isthmus::webdav
