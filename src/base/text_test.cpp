#include "base/text.h"

#include <gtest/gtest.h>

namespace isthmus {
namespace {

TEST(Text, Numbers) {
  EXPECT_EQ(parse_number("0"), 0u);
  EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
  EXPECT_FALSE(parse_number("18446744073709551616"));
  for (auto bad : {"", " 1", "1 ", "-1", "+1", "0x10", "1k"}) EXPECT_FALSE(parse_number(bad)) << bad;
  EXPECT_FALSE(parse_number("11", 10));
}

TEST(Text, Bytes) {
  EXPECT_EQ(parse_bytes("64k"), 65536u);
  EXPECT_EQ(parse_bytes("2G"), 2ull << 30);
  EXPECT_EQ(parse_bytes("1t"), 1ull << 40);
  EXPECT_EQ(parse_bytes("7"), 7u);
  EXPECT_EQ(parse_bytes("16777215t"), 16777215ull << 40);
  for (auto bad : {"k", "", "1kk", "16777216t", "1.5k"}) EXPECT_FALSE(parse_bytes(bad)) << bad;
  EXPECT_FALSE(parse_bytes("4g", UINT32_MAX));
}

TEST(Text, Seconds) {
  EXPECT_EQ(parse_seconds("1"), 1000u);
  EXPECT_EQ(parse_seconds("0.5"), 500u);
  EXPECT_EQ(parse_seconds("1.2345"), 1234u);
  EXPECT_EQ(parse_seconds("0.001"), 1u);
  for (auto bad : {"", ".5", "1.", "1.x", "-1", "1e3", "4294968"}) EXPECT_FALSE(parse_seconds(bad)) << bad;
}

TEST(Text, Nearest) {
  constexpr std::string_view kNames[] = {"allow_other", "allow_root", "ro", "rw", "max_read"};
  EXPECT_EQ(nearest("allow_othr", kNames), "allow_other");
  EXPECT_EQ(nearest("maxread", kNames), "max_read");
  EXPECT_EQ(nearest("zzzzzz", kNames), "");
  EXPECT_EQ(nearest(std::string(1000, 'a'), kNames), "");
}

}  // namespace
}  // namespace isthmus
