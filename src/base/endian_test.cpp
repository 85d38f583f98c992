#include "base/endian.h"

#include <gtest/gtest.h>

namespace isthmus {
namespace {

TEST(Endian, BothWaysAndNeverBeyondTheEnd) {
  std::string s;
  append_le<uint16_t>(s, 0x1234);
  append_be<uint32_t>(s, 0xdeadbeef);
  append_le<uint64_t>(s, 0x0102030405060708);
  append_be<uint8_t>(s, 0xff);
  EXPECT_EQ(s, std::string("\x34\x12\xde\xad\xbe\xef\x08\x07\x06\x05\x04\x03\x02\x01\xff"));
  EXPECT_EQ(load_le<uint16_t>(as_bytes(s), 0), 0x1234);
  EXPECT_EQ(load_be<uint32_t>(as_bytes(s), 2), 0xdeadbeef);
  EXPECT_EQ(load_le<uint64_t>(as_bytes(s), 6), 0x0102030405060708u);
  EXPECT_EQ(load_le<uint8_t>(as_bytes(s), 14), 0xff);
  EXPECT_EQ(load_le<uint8_t>(as_bytes(s), 15), std::nullopt);
  EXPECT_EQ(load_be<uint32_t>(as_bytes(s), 12), std::nullopt);
  EXPECT_EQ(load_le<uint64_t>(as_bytes(s), SIZE_MAX - 3), std::nullopt);
}

}  // namespace
}  // namespace isthmus
