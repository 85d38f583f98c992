#include "doors/smb/credits.h"

#include <gtest/gtest.h>

namespace isthmus::smb {
namespace {

TEST(Credits, EachIdIsSpentOnce) {
  Credits c;
  EXPECT_FALSE(c.spend(1, 1)) << "never granted";
  EXPECT_TRUE(c.spend(0, 1));
  EXPECT_FALSE(c.spend(0, 1));
  EXPECT_EQ(c.grant(3), 3);
  EXPECT_TRUE(c.spend(3, 1)) << "out of order";
  EXPECT_FALSE(c.spend(2, 2));
  EXPECT_TRUE(c.spend(1, 2));
  EXPECT_FALSE(c.spend(4, 1));
  EXPECT_EQ(c.available(), 0u);
}

TEST(Credits, NobodyIsLeftWithoutOneOrHasTooMany) {
  Credits c;
  ASSERT_TRUE(c.spend(0, 1));
  EXPECT_EQ(c.grant(0), 1);
  EXPECT_EQ(c.grant(65535), Credits::kMost - 1);
  EXPECT_EQ(c.grant(1), 0);
  ASSERT_TRUE(c.spend(1, 128));
  EXPECT_EQ(c.grant(128), 128);
}

TEST(Credits, HugeNumbersAreRefused) {
  Credits c;
  EXPECT_FALSE(c.spend(UINT64_MAX, 1));
  EXPECT_FALSE(c.spend(0, UINT32_MAX));
  EXPECT_FALSE(c.spend(UINT64_MAX - 1, 65535));
  EXPECT_TRUE(c.spend(0, 1));
}

TEST(Credits, AnIdThatIsNeverSpentEndsTheWindow) {
  Credits c;
  ASSERT_TRUE(c.spend(0, 1));
  ASSERT_EQ(c.grant(2), 2);
  uint64_t next = 2;  // 1 is left out
  uint64_t granted = 0;
  while (true) {
    ASSERT_TRUE(c.spend(next++, 1));
    if (const uint16_t n = c.grant(1); n == 0) break;
    granted++;
  }
  EXPECT_GT(granted, 8000u);
  EXPECT_TRUE(c.spend(1, 1));
  EXPECT_GT(c.grant(1), 0);
}

}  // namespace
}  // namespace isthmus::smb
