#include "wire/dav/headers.h"

#include <gtest/gtest.h>

#include <string>

namespace isthmus::dav {
namespace {

TEST(Headers, Depth) {
  EXPECT_EQ(parse_depth(std::nullopt), Depth::absent);
  EXPECT_EQ(parse_depth("0"), Depth::zero);
  EXPECT_EQ(parse_depth(" 1 "), Depth::one);
  EXPECT_EQ(parse_depth("infinity"), Depth::infinity);
  EXPECT_EQ(parse_depth("Infinity"), Depth::infinity);
  for (auto bad : {"", "2", "-1", "00", "0,1", "1,noroot", "infinit", "infinityy"})
    EXPECT_EQ(parse_depth(bad), Depth::bad) << bad;
}

TEST(Headers, Timeout) {
  EXPECT_EQ(parse_timeout("Second-3600"), 3600u);
  EXPECT_EQ(parse_timeout("Infinite, Second-4100000000"), kInfiniteTimeout);
  EXPECT_EQ(parse_timeout("Second-4100000000, Infinite"), 4'100'000'000u);
  EXPECT_EQ(parse_timeout(" Extend , second-0"), 0u);
  EXPECT_EQ(parse_timeout("Second-4294967296"), kInfiniteTimeout);
  EXPECT_EQ(parse_timeout("Second-99999999999999999999999999"), kInfiniteTimeout);
  for (auto none : {"", ",", "3600", "Second", "Second-", "Second--1", "Second-1x", "Seconds-1", "Infinit"})
    EXPECT_FALSE(parse_timeout(none)) << none;
  EXPECT_FALSE(parse_timeout(std::nullopt));
}

TEST(Headers, Overwrite) {
  EXPECT_EQ(parse_overwrite(std::nullopt), true);
  for (auto yes : {"T", "t", " T "}) EXPECT_EQ(parse_overwrite(yes), true);
  for (auto never : {"F", "f"}) EXPECT_EQ(parse_overwrite(never), false);
  for (auto bad : {"", "true", "TF", "0"}) EXPECT_FALSE(parse_overwrite(bad)) << bad;
}

TEST(Headers, LockToken) {
  EXPECT_EQ(parse_lock_token("<opaquelocktoken:a515cfa4>"), "opaquelocktoken:a515cfa4");
  EXPECT_EQ(parse_lock_token(" opaquelocktoken:a515cfa4 "), "opaquelocktoken:a515cfa4");
  for (auto bad : {"", "<", ">", "<>", "<a", "a>", "<<a>", "<a>>", "<a b>", "<a>,<b>", "<a\x7f>", "<a\x01>"})
    EXPECT_FALSE(parse_lock_token(bad)) << bad;
}

void expect_destination(std::string_view value, std::string_view scheme, std::string_view authority,
                        std::string_view path) {
  auto d = parse_destination(value);
  ASSERT_TRUE(d) << value;
  EXPECT_EQ(d->scheme, scheme);
  EXPECT_EQ(d->authority, authority);
  EXPECT_EQ(d->path, path);
}

TEST(Headers, Destination) {
  expect_destination("http://127.0.0.1:8080/a/b%20c", "http", "127.0.0.1:8080", "/a/b%20c");
  expect_destination("HTTPS://[::1]/", "HTTPS", "[::1]", "/");
  expect_destination(" /a//b/ ", "", "", "/a//b/");
  expect_destination("http://host", "http", "host", "/");
  expect_destination("/\xc3\xa4", "", "", "/\xc3\xa4");
  for (auto bad :
       {"", "a/b", "//host/a", "http:///a", "http:/a", "http://", "ftp://host/a", "://host/a", "http://me@host/a",
        "/a?b", "/a#b", "http://host?a", "/a b", "/a\x01", "/a\x7f", "javascript:alert(1)", "file:///etc/passwd"})
    EXPECT_FALSE(parse_destination(bad)) << bad;
  EXPECT_FALSE(parse_destination(std::string("/a\0b", 4)));
}

}  // namespace
}  // namespace isthmus::dav
