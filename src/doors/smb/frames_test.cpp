#include "doors/smb/frames.h"

#include <gtest/gtest.h>

#include "doors/smb/chain.h"
#include "doors/smb/link.h"

namespace isthmus::smb {
namespace {

TEST(Frames, EachConnectionHasOneAndTheRestIsShared) {
  FramePool pool{.most = 2};
  Frames a(pool), b(pool), c(pool);
  EXPECT_TRUE(a.begin());
  EXPECT_TRUE(a.begin());
  EXPECT_TRUE(a.begin());
  EXPECT_FALSE(a.begin()) << "two of the pool are all there are";
  EXPECT_TRUE(b.begin());
  EXPECT_FALSE(b.begin());
  EXPECT_EQ(a.next(), nullptr);
  EXPECT_TRUE(b.begin());
  EXPECT_TRUE(c.begin());
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(a.next(), nullptr);
    EXPECT_EQ(b.next(), nullptr);
  }
  EXPECT_EQ(c.next(), nullptr);
  EXPECT_EQ(pool.taken, 0u);
}

TEST(Frames, OneThatWaitsTakesThePlaceOfOneThatIsDone) {
  FramePool pool{.most = 100};
  Frames a(pool);
  const std::shared_ptr<Chain> none;
  EXPECT_FALSE(a.park(none, 1)) << "nobody would take it";
  for (unsigned i = 0; i < Frames::kMostRunning; i++) EXPECT_TRUE(a.begin());
  EXPECT_FALSE(a.begin());
  EXPECT_TRUE(a.park(none, Frames::kMostParkedBytes));
  EXPECT_FALSE(a.park(none, 1)) << "too many bytes";
  a.next();
  EXPECT_FALSE(a.begin()) << "as many as before";
  EXPECT_TRUE(a.park(none, 1));
  a.drop();
  a.next();
  EXPECT_TRUE(a.begin());
  for (unsigned i = 0; i < Frames::kMostRunning; i++) a.next();
  EXPECT_EQ(pool.taken, 0u);
}

}  // namespace
}  // namespace isthmus::smb
