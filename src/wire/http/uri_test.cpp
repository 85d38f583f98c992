#include "wire/http/uri.h"

#include <gmock/gmock.h>

namespace isthmus::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Uri, Paths) {
  EXPECT_THAT(parse_path("/")->names, IsEmpty());
  EXPECT_FALSE(parse_path("/")->trailing_slash);
  EXPECT_THAT(parse_path("/a/b%20c/%C3%A9?x=1#y")->names, ElementsAre("a", "b c", "\xC3\xA9"));
  EXPECT_THAT(parse_path("//a///b/")->names, ElementsAre("a", "b"));
  EXPECT_TRUE(parse_path("/a/b/")->trailing_slash);
  EXPECT_FALSE(parse_path("/a/b")->trailing_slash);
  EXPECT_THAT(parse_path("/...")->names, ElementsAre("..."));
  EXPECT_THAT(parse_path("/a%3Fb%23c%25")->names, ElementsAre("a?b#c%"));
}

TEST(Uri, WaysOutAreRefused) {
  for (const char* path : {"",
                           "a",
                           "*",
                           "/.",
                           "/a/..",
                           "/a/../b",
                           "/%2e%2e/b",
                           "/.%2E",
                           "/%2e",
                           "/a%2fb",
                           "/a%2F..%2F",
                           "/a%5cb",
                           "/a\\b",
                           "/a%00b",
                           "/a%0ab",
                           "/%7f",
                           "/%c0%ae%c0%ae",
                           "/%c0%af",
                           "/%ed%a0%80",
                           "/%ff",
                           "/%",
                           "/%2",
                           "/%zz",
                           "/%e0%80%af",
                           "/%f8%80%80%80%af"})
    EXPECT_FALSE(parse_path(path)) << path;
}

TEST(Uri, SegmentsComeBack) {
  for (std::string name : {"a", "a b", "100%", "?#&;=+", "\xE2\x82\xAC", "~-._", "<>\"'|*:"}) {
    std::string path = "/";
    append_segment(path, name);
    EXPECT_THAT(parse_path(path)->names, ElementsAre(name)) << path;
  }
}

TEST(Uri, Queries) {
  EXPECT_EQ(query_value("/a?x=1&yy=%2Fz&flag", "x"), "1");
  EXPECT_EQ(query_value("/a?x=1&yy=%2Fz&flag", "yy"), "/z");
  EXPECT_EQ(query_value("/a?x=1&yy=%2Fz&flag", "flag"), "");
  EXPECT_FALSE(query_value("/a?x=1", "y"));
  EXPECT_FALSE(query_value("/a", "y"));
  EXPECT_FALSE(query_value("/a?y=%", "y"));
}

}  // namespace
}  // namespace isthmus::http
