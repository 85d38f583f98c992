#include "wire/http/auth.h"

#include <gtest/gtest.h>

namespace isthmus::http {
namespace {

DigestCredentials digest(std::string_view value) {
  auto parsed = parse_authorization(value);
  auto* d = std::get_if<DigestCredentials>(&parsed);
  EXPECT_TRUE(d) << value;
  return d ? *d : DigestCredentials{};
}
bool refused(std::string_view value) { return parse_authorization(value).index() == 0; }

// RFC 7616 section 3.9.1.
constexpr std::string_view kMufasa =
    "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "
    "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, "
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", ";

std::string mufasa(std::string_view rest) { return std::string(kMufasa).append(rest); }

TEST(Auth, Basic) {
  auto parsed = parse_authorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  auto* b = std::get_if<BasicCredentials>(&parsed);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->user, "Aladdin");
  EXPECT_EQ(b->password, "open sesame");
  parsed = parse_authorization("bASIC   dGVzdDoxMjPCozo=");
  b = std::get_if<BasicCredentials>(&parsed);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->user, "test");
  EXPECT_EQ(b->password, "123\xc2\xa3:");
  for (auto bad : {"Basic", "Basic ", "Basic QQ==", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Basic QWxh ZGRp",
                   "Basic QTo=QTo=", "Basic QToA", "Basic =QTo", "Basic ====", "Bearer QTpC", "BasicQTpC", ""})
    EXPECT_TRUE(refused(bad)) << bad;
}

TEST(Auth, DigestVectorsOfTheRfc) {
  auto md5 = digest(mufasa("algorithm=MD5, response=\"8ca523f5e9506fed4657c9700eebdbec\""));
  EXPECT_EQ(md5.user, "Mufasa");
  EXPECT_EQ(md5.uri, "/dir/index.html");
  EXPECT_EQ(md5.opaque, "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS");
  EXPECT_EQ(md5.count(), 1u);
  auto ha1 = digest_ha1(DigestAlgorithm::md5, "Mufasa", "http-auth@example.org", "Circle of Life");
  EXPECT_EQ(digest_response(md5, ha1, "GET"), "8ca523f5e9506fed4657c9700eebdbec");
  EXPECT_TRUE(digest_matches(md5, ha1, "GET"));
  EXPECT_FALSE(digest_matches(md5, ha1, "PUT"));

  auto sha =
      digest(mufasa("algorithm=SHA-256, "
                    "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""));
  ha1 = digest_ha1(DigestAlgorithm::sha256, "Mufasa", "http-auth@example.org", "Circle of Life");
  EXPECT_TRUE(digest_matches(sha, ha1, "GET"));
  ha1 = digest_ha1(DigestAlgorithm::sha256, "Mufasa", "http-auth@example.org", "circle of life");
  EXPECT_FALSE(digest_matches(sha, ha1, "GET"));
}

TEST(Auth, DigestOfNothing) {
  EXPECT_EQ(digest_ha1(DigestAlgorithm::md5, "", "", ""), "4501c091b0366d76ea3218b6cfdd8097");
}  // md5("::")

TEST(Auth, DigestOfRfc2617) {
  auto d = digest(
      "digest username=\"Mufasa\",realm=\"testrealm@host.com\",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\","
      "uri=\"/dir/"
      "index.html\",qop=\"auth\",nc=00000001,cnonce=\"0a4f113b\",response=\"6629FAE49393A05397450978507C4EF1\"");
  EXPECT_TRUE(digest_matches(d, digest_ha1(d.algorithm, "Mufasa", "testrealm@host.com", "Circle Of Life"), "GET"));
}

TEST(Auth, DigestSyntax) {
  std::string response = "response=" + std::string(32, 'a');
  auto d = digest(
      "Digest ,, username = \"a\\\"b\\\\c\" ,realm=\"\",nonce=n, uri=\"/x?a,b=c\"\t,cnonce=\"\", NC=0000aBcD ,qop=auth,"
      "unknown=1,userhash=false," +
      response);
  EXPECT_EQ(d.user, "a\"b\\c");
  EXPECT_EQ(d.uri, "/x?a,b=c");
  EXPECT_EQ(d.count(), 0xabcdu);

  response = ", " + response;
  EXPECT_FALSE(refused(mufasa("") + response));
  for (auto bad :
       {"userhash=true", "username*=UTF-8''x", "algorithm=MD5-sess", "algorithm=SHA-512-256", "algorithm=SHA-256",
        "realm=twice", "opaque", "x=", "x=\"", "x=\"\\", "x=\"a\"b", "x=a b", "=x", "x=\"a\n\""})
    EXPECT_TRUE(refused(mufasa(bad) + response)) << bad;
  std::string good(kMufasa);
  good += response;
  for (std::string name : {"username", "realm", "nonce", "uri", "cnonce", "nc", "qop", "response"}) {
    std::string lacks = good;
    lacks.replace(lacks.find(name + "="), name.size(), "other");
    EXPECT_TRUE(refused(lacks)) << name;
  }
  auto with = [&good](const std::string& from, const std::string& to) {
    std::string changed = good;
    return changed.replace(changed.find(from), from.size(), to);
  };
  EXPECT_TRUE(refused(with("qop=auth", "qop=auth-int")));
  EXPECT_TRUE(refused(with("nc=00000001", "nc=1")));
  EXPECT_TRUE(refused(with("nc=00000001", "nc=0000000g")));
  EXPECT_TRUE(refused(with("aaaa", "aaa")));
  EXPECT_TRUE(refused(with("aaaa", "aaag")));
  EXPECT_TRUE(refused(good + ", x=" + std::string(9000, 'y')));
}

// A cut header is another request's header at best: it is parsed or refused, never read beyond its end (asan).
TEST(Auth, Truncated) {
  std::string good = mufasa("algorithm=MD5, response=\"8ca523f5e9506fed4657c9700eebdbec\"");
  for (size_t n = 0; n < good.size(); n++) {
    std::string cut(good, 0, n);
    cut.shrink_to_fit();
    EXPECT_TRUE(refused(cut)) << cut;
  }
}

TEST(Auth, Nonces) {
  std::string key_text(32, 'k'), other_text(32, 'o');
  Bytes key = as_bytes(key_text), other = as_bytes(other_text);
  Time made{.sec = 1'000'000, .nsec = 5};
  auto at = [](int64_t sec) { return Time{.sec = sec, .nsec = 0}; };
  std::string nonce = make_nonce(key, made, 7);
  EXPECT_EQ(nonce.size(), 64u);
  EXPECT_NE(nonce, make_nonce(key, made, 8));
  EXPECT_EQ(check_nonce(key, nonce, made, 60), NonceState::good);
  EXPECT_EQ(check_nonce(key, nonce, at(1'000'060), 60), NonceState::good);
  EXPECT_EQ(check_nonce(key, nonce, at(1'000'061), 60), NonceState::stale);
  EXPECT_EQ(check_nonce(key, nonce, at(999'999), 60), NonceState::stale);
  EXPECT_EQ(check_nonce(other, nonce, made, 60), NonceState::foreign);
  for (size_t i = 0; i < nonce.size(); i++) {
    std::string changed = nonce;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_EQ(check_nonce(key, changed, made, 60), NonceState::foreign) << i;
  }
  for (auto& bad : {std::string(), std::string(64, 'x'), nonce.substr(2), nonce + "00"})
    EXPECT_EQ(check_nonce(key, bad, made, 60), NonceState::foreign) << bad;
}

TEST(Auth, EqualOrNot) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("abc", "abc"));
  EXPECT_FALSE(constant_time_equal("abc", "abd"));
  EXPECT_FALSE(constant_time_equal("abc", "abcd"));
}

TEST(Auth, Challenges) {
  EXPECT_EQ(basic_challenge("a\"b"), "Basic realm=\"a\\\"b\", charset=\"UTF-8\"");
  EXPECT_EQ(digest_challenge(DigestAlgorithm::md5, "r", "n", false),
            "Digest realm=\"r\", qop=\"auth\", algorithm=MD5, nonce=\"n\"");
  EXPECT_EQ(digest_challenge(DigestAlgorithm::sha256, "r", "n", true),
            "Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, nonce=\"n\", stale=true");
}

}  // namespace
}  // namespace isthmus::http
