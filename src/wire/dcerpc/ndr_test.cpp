#include "wire/dcerpc/ndr.h"

#include <gtest/gtest.h>

namespace isthmus::dcerpc {
namespace {

using namespace std::string_view_literals;

constexpr auto kAb = "\3\0\0\0\0\0\0\0\3\0\0\0a\0b\0\0\0"sv;

TEST(Ndr, ReadsAligned) {
  NdrReader in(as_bytes("\1\0\0\0\2\0\0\0\3\0"sv));
  EXPECT_EQ(in.number<uint8_t>(), 1);
  EXPECT_EQ(in.number<uint32_t>(), 2u);
  EXPECT_EQ(in.number<uint16_t>(), 3);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.number<uint8_t>(), 0);
  EXPECT_FALSE(in.ok());
}

TEST(Ndr, ReadsStrings) {
  EXPECT_EQ(NdrReader(as_bytes(kAb)).text(), "ab");
  for (size_t n = 0; n < kAb.size(); n++) {
    NdrReader in(as_bytes(kAb.substr(0, n)));
    EXPECT_EQ(in.text(), "");
    EXPECT_FALSE(in.ok()) << n;
  }
  for (auto bad : {"\2\0\0\0\0\0\0\0\3\0\0\0a\0b\0\0\0"sv,               // longer than its room
                   "\4\0\0\0\1\0\0\0\3\0\0\0a\0b\0\0\0"sv,               // from the middle
                   "\1\0\0\0\0\0\0\0\1\0\0\0\0\xd8"sv,                   // half of a pair
                   "\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\0\0"sv}) {  // 8 GiB
    NdrReader in(as_bytes(bad));
    EXPECT_EQ(in.text(), "");
    EXPECT_FALSE(in.ok());
  }
}

TEST(Ndr, ReadsSids) {
  constexpr auto kSid = "\1\0\0\0\1\1\0\0\0\0\0\1\0\0\0\0"sv;
  EXPECT_EQ(as_text(NdrReader(as_bytes(kSid)).sid()), kSid.substr(4));
  for (size_t n = 0; n < kSid.size(); n++) EXPECT_TRUE(NdrReader(as_bytes(kSid.substr(0, n))).sid().empty());
  std::string bad(kSid);
  bad[5] = 2;  // not as many numbers as the array has
  EXPECT_TRUE(NdrReader(as_bytes(bad)).sid().empty());
  bad = std::string("\x10\0\0\0\1\x10", 6) + std::string(100, '\0');
  EXPECT_TRUE(NdrReader(as_bytes(bad)).sid().empty());
}

TEST(Ndr, WritesPointeesBehind) {
  NdrWriter out;
  out.number<uint8_t>(7);
  out.text_pointer("ab");
  out.pointer(false);
  out.unicode_string("ä");
  out.sid_pointer(as_bytes("\1\1\0\0\0\0\0\1\0\0\0\0"sv));
  out.pointees();
  EXPECT_EQ(out.take(), std::string("\7\0\0\0\0\0\2\0\0\0\0\0\2\0\2\0\4\0\2\0\x8\0\2\0"sv) + std::string(kAb) +
                            std::string("\0\0\1\0\0\0\0\0\0\0\1\0\0\0\xe4\0\0\0"sv) +
                            std::string("\1\0\0\0\1\1\0\0\0\0\0\1\0\0\0\0"sv));
}

TEST(Ndr, WritesWhatIsNoTextAsNothing) {
  NdrWriter out;
  out.text_pointer("\xff");
  out.unicode_string(std::string(40000, 'x'));
  out.pointees();
  EXPECT_EQ(out.take(),
            std::string("\0\0\2\0\0\0\0\0\4\0\2\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"sv) + std::string(12, '\0'));
}

}  // namespace
}  // namespace isthmus::dcerpc
