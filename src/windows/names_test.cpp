#include "windows/names.h"

#include <gmock/gmock.h>

#include <random>

namespace isthmus::windows {
namespace {

TEST(Names, PlainOnesStay) {
  for (std::string name : {"a", "a b", "\xC3\xA9t\xC3\xA9", "a.b", ".hidden", "\xF0\x9F\x98\x80"})
    for (auto rules : {NameRules::text, NameRules::windows, NameRules::sfm}) {
      EXPECT_EQ(to_client(name, rules), name);
      EXPECT_EQ(from_client(name, rules), name);
    }
}

TEST(Names, WhatAClientCannotTake) {
  EXPECT_EQ(to_client("a\\b", NameRules::text), "a\uF05Cb");
  EXPECT_EQ(to_client("a:b", NameRules::text), "a:b");
  EXPECT_EQ(to_client("a:b", NameRules::windows), "a\uF03Ab");
  EXPECT_EQ(to_client("end.", NameRules::windows), "end\uF02E");
  EXPECT_EQ(to_client("end ", NameRules::windows), "end\uF020");
  EXPECT_EQ(to_client("\xFFx", NameRules::text), "\uF0FFx");
  EXPECT_EQ(to_client("a\nb", NameRules::text), "a\uF00Ab");
}

TEST(Names, AsServicesForMacintoshHadThem) {
  EXPECT_EQ(to_client("a:b*c?\"d\\e|<>", NameRules::sfm), "a\uF022b\uF021c\uF025\uF020d\uF026e\uF027\uF023\uF024");
  EXPECT_EQ(to_client("end ", NameRules::sfm), "end\uF028");
  EXPECT_EQ(to_client("end.", NameRules::sfm), "end\uF029");
  EXPECT_EQ(to_client("a\nb\xFF", NameRules::sfm), "a\uF00Ab\uF0FF");
  EXPECT_EQ(from_client("a\uF022b", NameRules::sfm), "a:b");
  EXPECT_EQ(from_client("a\uF028b", NameRules::sfm), "a\uF028b") << "a space in the middle is written as it is";
  EXPECT_EQ(from_client("a\uF03Ab", NameRules::sfm), "a\uF03Ab") << "not of this table";
}

TEST(Names, GenuinePrivateCharactersComeBack) {
  const std::string name = "x\uF05Cy";
  const std::string seen = to_client(name, NameRules::text);
  EXPECT_NE(seen, name);
  EXPECT_EQ(from_client(seen, NameRules::text), name);
  EXPECT_EQ(from_client("\xFF", NameRules::text), std::nullopt);
}

TEST(Names, NoWayOutByPrivateCharacters) {
  EXPECT_EQ(from_client("a\uF02Fb", NameRules::text), "a\uF02Fb");
  EXPECT_EQ(from_client("\uF02E\uF02E", NameRules::windows), "\uF02E\uF02E");
  EXPECT_EQ(from_client("\uF000", NameRules::text), "\uF000");
}

TEST(Names, AnyBytesComeBackAndNoTwoAreOne) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string name;
    const size_t size = 1 + random() % 8;
    while (name.size() < size) {
      constexpr std::string_view kOften = "\xEF\x80\x81\xBF:\\. a\xC3\xA9";
      char c = random() % 2 ? kOften[random() % kOften.size()] : static_cast<char>(random());
      if (c != '/' && c != '\0') name += c;
    }
    if (name == "." || name == "..") continue;
    for (auto rules : {NameRules::text, NameRules::windows, NameRules::sfm})
      EXPECT_EQ(from_client(to_client(name, rules), rules), name);
  }
}

}  // namespace
}  // namespace isthmus::windows
