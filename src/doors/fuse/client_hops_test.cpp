#include "doors/fuse/client_hops.h"

#include <gtest/gtest.h>

namespace isthmus::fuse {
namespace {

TEST(ClientHops, CountsMovesInARow) {
  ClientHops hops;
  EXPECT_EQ(hops.note(100, 0), 0u);
  EXPECT_EQ(hops.note(100, 1), 1u);
  EXPECT_EQ(hops.note(100, 0), 2u);
  EXPECT_FALSE(hops.stays(100));
  EXPECT_EQ(hops.note(100, 0), 0u);
  EXPECT_TRUE(hops.stays(100));
}

TEST(ClientHops, ClientsOnCpusOfTheirOwnDoNotHop) {
  ClientHops hops;
  for (int i = 0; i < 10; i++) {
    EXPECT_EQ(hops.note(100, 0), 0u);
    EXPECT_EQ(hops.note(101, 1), 0u);
  }
}

TEST(ClientHops, SharersOfAPlaceForgetEachOther) {
  ClientHops hops;
  hops.note(7, 0);
  EXPECT_EQ(hops.note(7, 1), 1u);
  EXPECT_EQ(hops.note(7 + 64, 0), 0u);
  EXPECT_TRUE(hops.stays(7)) << "nothing is known";
  EXPECT_EQ(hops.note(7, 0), 0u);
}

TEST(ClientHops, NeverCountsRound) {
  ClientHops hops;
  unsigned last = 0;
  for (uint16_t i = 0; i < 2000; i++) last = hops.note(-5, i % 2);
  EXPECT_EQ(last, 1000u);
  EXPECT_FALSE(hops.stays(-5));
}

}  // namespace
}  // namespace isthmus::fuse
