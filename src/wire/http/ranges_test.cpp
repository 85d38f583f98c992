#include "wire/http/ranges.h"

#include <gtest/gtest.h>

#include "wire/http/dates.h"

namespace isthmus::http {
namespace {

using Kind = RangeAnswer::Kind;

void expect_part(std::string_view value, uint64_t size, uint64_t offset, uint64_t length) {
  auto r = parse_range(value, size);
  EXPECT_EQ(r.kind, Kind::part) << value;
  EXPECT_EQ(r.offset, offset) << value;
  EXPECT_EQ(r.length, length) << value;
}

TEST(Ranges, Parts) {
  expect_part("bytes=0-499", 10'000, 0, 500);
  expect_part("bytes=500-999", 10'000, 500, 500);
  expect_part("bytes=-500", 10'000, 9'500, 500);
  expect_part("bytes=9500-", 10'000, 9'500, 500);
  expect_part("bytes=0-0", 1, 0, 1);
  expect_part("bytes=0-99999", 10, 0, 10);
  expect_part("bytes=-99999", 10, 0, 10);
  expect_part("Bytes= 1-2 ", 10, 1, 2);
  expect_part("bytes=1-18446744073709551615", 10, 1, 9);
  expect_part("bytes=1-99999999999999999999999", 10, 1, 9);
  expect_part("bytes=-99999999999999999999999", 10, 0, 10);
  expect_part("bytes=18446744073709551613-", UINT64_MAX, UINT64_MAX - 2, 2);
}

TEST(Ranges, IgnoredAreSeveralAndMalformed) {
  EXPECT_EQ(parse_range(std::nullopt, 10).length, 10u);
  for (auto bad :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=5-4", "bytes=a-b", "bytes=1-2x", "bytes=--1", "bytes=+1-2",
        "bytes=1 - 2", "bytes=0-1,3-4", "bytes=0-1,", "bytes 0-1", "items=0-1", "bytes=0x1-2", "bytes=1-2-3"}) {
    auto r = parse_range(bad, 10);
    EXPECT_EQ(r.kind, Kind::whole) << bad;
    EXPECT_EQ(r.length, 10u) << bad;
  }
  EXPECT_EQ(parse_range("bytes=-5", 0).kind, Kind::whole);
}

TEST(Ranges, Unsatisfiable) {
  for (auto range : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"})
    EXPECT_EQ(parse_range(range, 10).kind, Kind::unsatisfiable) << range;
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, Kind::unsatisfiable);
  EXPECT_EQ(parse_range("bytes=18446744073709551615-", UINT64_MAX).kind, Kind::unsatisfiable);
}

// The table of RFC 9110 section 8.8.3.2.
TEST(Etags, Comparison) {
  EXPECT_FALSE(strong_match("W/\"1\"", "W/\"1\""));
  EXPECT_TRUE(weak_match("W/\"1\"", "W/\"1\""));
  EXPECT_FALSE(weak_match("W/\"1\"", "W/\"2\""));
  EXPECT_FALSE(strong_match("W/\"1\"", "\"1\""));
  EXPECT_TRUE(weak_match("W/\"1\"", "\"1\""));
  EXPECT_TRUE(strong_match("\"1\"", "\"1\""));
  EXPECT_FALSE(strong_match("", ""));
  EXPECT_FALSE(weak_match("", ""));
}

TEST(Etags, Lists) {
  EXPECT_EQ(find_etag("\"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\"", "\"r2d2xxxx\"", true), EtagMatch::listed);
  EXPECT_EQ(find_etag(" ,W/\"a,b\" ,\t\"c\",,", "W/\"a,b\"", false), EtagMatch::listed);
  EXPECT_EQ(find_etag("W/\"a\"", "\"a\"", true), EtagMatch::none);
  EXPECT_EQ(find_etag("\"\"", "\"\"", true), EtagMatch::listed);
  EXPECT_EQ(find_etag("\"\xc3\xa4\"", "\"\xc3\xa4\"", true), EtagMatch::listed);
  EXPECT_EQ(find_etag(" * ", "", true), EtagMatch::any);
  for (auto bad :
       {"", ",", "a", "\"a", "\"a\" \"b\"", "\"a\"b", "w/\"a\"", "*, \"a\"", "\"a\", *", "W/", "\"a b\"", "\"a\", b"})
    EXPECT_EQ(find_etag(bad, "\"a\"", true), EtagMatch::bad) << bad;
}

constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT", kAt = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr auto kGoOn = Verdict::go_on, k304 = Verdict::not_modified, k412 = Verdict::precondition_failed;

class Preconditions : public testing::Test {
 protected:
  static Conditionals with(std::optional<std::string_view> Conditionals::*header, std::string_view value) {
    Conditionals c;
    c.*header = value;
    return c;
  }
  void expect(const Conditionals& c, Verdict get, Verdict put) {
    EXPECT_EQ(preconditions(c, now_, true), get);
    EXPECT_EQ(preconditions(c, now_, false), put);
  }
  // Nanoseconds are not in a date: they must not make it older than it is.
  Current now_{.exists = true, .etag = "\"a\"", .mtime = Time{784111777, 500}};
};

TEST_F(Preconditions, None) { expect({}, kGoOn, kGoOn); }

TEST_F(Preconditions, IfMatch) {
  auto header = &Conditionals::if_match;
  expect(with(header, "\"a\""), kGoOn, kGoOn);
  expect(with(header, "*"), kGoOn, kGoOn);
  expect(with(header, "\"b\", \"a\""), kGoOn, kGoOn);
  expect(with(header, "\"b\""), k412, k412);
  expect(with(header, "W/\"a\""), k412, k412);
  expect(with(header, "a"), k412, k412);
  now_ = {};
  expect(with(header, "*"), k412, k412);
  expect(with(header, "\"a\""), k412, k412);
}

TEST_F(Preconditions, IfNoneMatch) {
  auto header = &Conditionals::if_none_match;
  expect(with(header, "\"a\""), k304, k412);
  expect(with(header, "W/\"a\""), k304, k412);
  expect(with(header, "*"), k304, k412);
  expect(with(header, "\"b\""), kGoOn, kGoOn);
  expect(with(header, "a"), kGoOn, kGoOn);
  now_ = {};
  expect(with(header, "*"), kGoOn, kGoOn);
  expect(with(header, "\"a\""), kGoOn, kGoOn);
}

TEST_F(Preconditions, Dates) {
  expect(with(&Conditionals::if_modified_since, kAt), k304, kGoOn);
  expect(with(&Conditionals::if_modified_since, kBefore), kGoOn, kGoOn);
  expect(with(&Conditionals::if_modified_since, "yesterday"), kGoOn, kGoOn);
  expect(with(&Conditionals::if_unmodified_since, kAt), kGoOn, kGoOn);
  expect(with(&Conditionals::if_unmodified_since, kBefore), k412, k412);
  expect(with(&Conditionals::if_unmodified_since, "yesterday"), kGoOn, kGoOn);
  now_.mtime.reset();
  expect(with(&Conditionals::if_modified_since, kAt), kGoOn, kGoOn);
  expect(with(&Conditionals::if_unmodified_since, kBefore), kGoOn, kGoOn);
}

TEST_F(Preconditions, Order) {
  // An entity tag counts where a date is sent beside it.
  Conditionals c;
  c.if_match = "\"a\"";
  c.if_unmodified_since = kBefore;
  expect(c, kGoOn, kGoOn);
  c = {};
  c.if_none_match = "\"b\"";
  c.if_modified_since = kAt;
  expect(c, kGoOn, kGoOn);
  // If-Match is looked at before If-None-Match.
  c = {};
  c.if_match = "\"b\"";
  c.if_none_match = "\"a\"";
  expect(c, k412, k412);
  c.if_match = "\"a\"";
  expect(c, k304, k412);
}

TEST_F(Preconditions, IfRange) {
  EXPECT_TRUE(if_range_holds(std::nullopt, now_));
  EXPECT_TRUE(if_range_holds("\"a\"", now_));
  EXPECT_FALSE(if_range_holds("\"b\"", now_));
  EXPECT_FALSE(if_range_holds("W/\"a\"", now_));
  EXPECT_FALSE(if_range_holds("\"a\", \"b\"", now_));
  EXPECT_TRUE(if_range_holds(kAt, now_));
  EXPECT_FALSE(if_range_holds(kBefore, now_));
  EXPECT_FALSE(if_range_holds("Sun, 06 Nov 1994 08:49:38 GMT", now_));
  EXPECT_FALSE(if_range_holds("a", now_));
  now_.etag = "W/\"a\"";
  EXPECT_FALSE(if_range_holds("W/\"a\"", now_));
  now_.mtime.reset();
  EXPECT_FALSE(if_range_holds(kAt, now_));
}

}  // namespace
}  // namespace isthmus::http
