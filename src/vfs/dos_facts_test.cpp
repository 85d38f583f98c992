#include "vfs/dos_facts.h"

#include <gtest/gtest.h>

#include "base/file_time.h"

namespace isthmus {
namespace {

using namespace std::string_literals;

TEST(DosFacts, AttributesAloneAreText) {
  EXPECT_EQ(write_dos_facts({0x22, {}}), "0x22");
  const DosFacts facts = read_dos_facts("0x22");
  EXPECT_EQ(facts.attributes, 0x22u);
  EXPECT_FALSE(facts.creation);
}

TEST(DosFacts, WithTheTimeOfCreationSambasThirdVersion) {
  const std::string head = "\0\0\3\0\3\0\0\0\x11\0\0\0\x02\0\0\0"s;
  const std::string value = write_dos_facts({0x2, 0x0123456789abcdef});
  EXPECT_EQ(value, head + std::string(20, '\0') + "\xef\xcd\xab\x89\x67\x45\x23\x01"s + std::string(8, '\0'));
  const DosFacts facts = read_dos_facts(value);
  EXPECT_EQ(facts.attributes, 0x2u);
  EXPECT_EQ(facts.creation, 0x0123456789abcdefu);
  EXPECT_FALSE(read_dos_facts(write_dos_facts({{}, 5})).attributes);
}

TEST(DosFacts, VersionFiveAsSambaWritesIt) {
  const std::string value = "\0\0\5\0\5\0\0\0\x11\0\0\0\x20\0\0\0\1\2\3\4\5\6\7\x08"s;
  const DosFacts facts = read_dos_facts(value);
  EXPECT_EQ(facts.attributes, 0x20u);
  EXPECT_EQ(facts.creation, 0x0807060504030201u);
}

TEST(DosFacts, OfWhatIsBrokenNothingIsKnown) {
  const std::string whole = write_dos_facts({0x2, 7});
  for (size_t size = 0; size < whole.size() - 8; size++) {
    const DosFacts facts = read_dos_facts(whole.substr(0, size));
    EXPECT_FALSE(facts.creation) << size;
    EXPECT_EQ(facts.attributes.has_value(), size >= 16) << size;
  }
  for (const char* text : {"", "0x", "0xg", "22", "\1"}) EXPECT_FALSE(read_dos_facts(text).attributes) << text;
}

TEST(FileTime, CountsFrom1601) {
  EXPECT_EQ(file_time({-11'644'473'600, 0}), 0u);
  EXPECT_EQ(file_time({0, 100}), 116'444'736'000'000'001u);
  static_assert(from_file_time(file_time({-1, 999'999'900})) == Time{-1, 999'999'900});
}

}  // namespace
}  // namespace isthmus
