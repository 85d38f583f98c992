#include "wire/dav/lockinfo.h"

#include <gtest/gtest.h>

#include "wire/dav/test_infoset.h"

namespace isthmus::dav {
namespace {

std::string body_of(std::string_view inside) {
  return "<D:lockinfo xmlns:D='DAV:'>" + std::string(inside) + "</D:lockinfo>";
}
constexpr std::string_view kScope = "<D:lockscope><D:exclusive/></D:lockscope>",
                           kType = "<D:locktype><D:write/></D:locktype>";

LockInfo good(std::string_view body) {
  auto parsed = parse_lockinfo(body);
  EXPECT_EQ(wrong(parsed), "") << body;
  auto* info = std::get_if<LockInfo>(&parsed);
  return info ? *info : LockInfo{};
}
std::string bad(std::string_view inside) { return wrong(parse_lockinfo(body_of(inside))); }

TEST(ParseLockinfo, Good) {
  std::string both = std::string(kScope).append(kType);
  EXPECT_TRUE(good(body_of(both)).exclusive);
  EXPECT_EQ(good(body_of(both)).owner, "");
  EXPECT_FALSE(good(body_of(std::string(kType) + "<D:lockscope>\n<D:shared/></D:lockscope>")).exclusive);
  EXPECT_EQ(good(body_of(both + "<D:owner>litmus test suite</D:owner>")).owner, "litmus test suite");
  EXPECT_EQ(good(body_of("<D:owner> <D:href>http://a/?b&amp;c</D:href><x xmlns='y'/></D:owner>" + both)).owner,
            " <D:href xmlns:D=\"DAV:\">http://a/?b&amp;c</D:href><x xmlns=\"y\"/>");
}

TEST(ParseLockinfo, UnknownElementsAreIgnored) {
  auto info = good(body_of("<x>text<D:owner>no</D:owner></x><D:lockscope><y/><D:shared/></D:lockscope>" +
                           std::string(kType) + "<D:z><D:exclusive/></D:z><owner>no</owner>"));
  EXPECT_FALSE(info.exclusive);
  EXPECT_EQ(info.owner, "");
}

TEST(ParseLockinfo, Wrong) {
  std::string scope(kScope), type(kType);
  EXPECT_EQ(wrong(parse_lockinfo("")), "line 1: no element found");
  EXPECT_EQ(wrong(parse_lockinfo("<lockinfo/>")), "the root element is not lockinfo of DAV:");
  EXPECT_EQ(bad(type), "lockscope has none of exclusive and shared");
  EXPECT_EQ(bad(type + "<D:lockscope><D:other/><exclusive/></D:lockscope>"),
            "lockscope has none of exclusive and shared");
  EXPECT_EQ(bad(type + "<D:lockscope><D:other><D:exclusive/></D:other></D:lockscope>"),
            "lockscope has none of exclusive and shared");
  EXPECT_EQ(bad(type + scope + scope), "lockscope has more than one of exclusive and shared");
  EXPECT_EQ(bad(scope), "locktype is not write");
  EXPECT_EQ(bad(scope + "<D:locktype><D:read/></D:locktype>"), "locktype is not write");
  EXPECT_EQ(bad(scope + type + "<D:owner/><D:owner/>"), "lockinfo has owner twice");
  EXPECT_EQ(bad(scope + type + "<D:owner>" + std::string(kMaxOwner, 'x') + "</D:owner>"), "");
  EXPECT_EQ(bad(scope + type + "<D:owner>" + std::string(kMaxOwner + 1, 'x') + "</D:owner>"),
            "too big: owner is larger than 8192 bytes");
  std::string body = body_of(scope + type + "<D:owner>x</D:owner>");
  for (size_t n = 0; n < body.size(); n++) EXPECT_NE(wrong(parse_lockinfo(body.substr(0, n))), "") << n;
}

}  // namespace
}  // namespace isthmus::dav
