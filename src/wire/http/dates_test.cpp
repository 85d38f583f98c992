#include "wire/http/dates.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace isthmus::http {
namespace {

constexpr Time kExample{.sec = 784111777, .nsec = 0};  // of RFC 9110 section 5.6.7

TEST(Dates, TheThreeFormsOfTheRfc) {
  EXPECT_EQ(format_date({kExample.sec, 999'999'999}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), kExample);
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), kExample);
  EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), kExample);
  EXPECT_EQ(parse_date("Wed Nov 16 08:49:37 1994")->sec, kExample.sec + 10L * 86'400);
  EXPECT_EQ(format_date(*parse_date("Friday, 01-Jan-70 00:00:00 GMT")), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_date(*parse_date("Monday, 31-Dec-69 00:00:00 GMT")), "Tue, 31 Dec 2069 00:00:00 GMT");
  EXPECT_EQ(format_date(*parse_date("Sat, 31 Dec 2016 23:59:60 GMT")), "Sun, 01 Jan 2017 00:00:00 GMT");
}

TEST(Dates, WhatIsNoDate) {
  for (auto bad : {"", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                   "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
                   "sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
                   "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                   "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
                   "Sun Nov 6 08:49:37 1994", "1994-11-06T08:49:37Z", ","})
    EXPECT_FALSE(parse_date(bad)) << bad;
  EXPECT_TRUE(parse_date("Tue, 29 Feb 2000 08:49:37 GMT"));
  std::string good = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (size_t n = 0; n < good.size(); n++) EXPECT_FALSE(parse_date(good.substr(0, n)));
}

TEST(Dates, YearsAreHeldWithinFourDigits) {
  EXPECT_EQ(format_date({INT64_MAX, 0}), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(format_date({INT64_MIN, 0}), "Sat, 01 Jan 0000 00:00:00 GMT");
  EXPECT_EQ(format_date({-1, 0}), "Wed, 31 Dec 1969 23:59:59 GMT");
}

// The C library is the other opinion, for each day of 800 years and for random seconds.
TEST(Dates, AsTheCLibraryCounts) {
  auto compare = [](time_t sec) {
    std::tm tm{};
    gmtime_r(&sec, &tm);
    char text[64];
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    std::string ours = format_date({sec, 0});
    ASSERT_EQ(ours, text);
    ASSERT_EQ(parse_date(ours), (Time{sec, 0}));
  };
  for (int64_t day = -146'097; day <= 146'097; day++) compare(day * 86'400 + 43'210);
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int64_t> seconds(-30'610'224'000, 253'402'300'799);  // years 1000 to 9999
  for (int i = 0; i < 20'000; i++) compare(seconds(random));
}

}  // namespace
}  // namespace isthmus::http
