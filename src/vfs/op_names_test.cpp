#include "vfs/op_names.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

namespace isthmus {
namespace {

TEST(OpNames, EveryOperationByItsName) {
  std::string all;
  std::string_view wrong;
  for (size_t i = 0; i < kOpCount; i++) {
    auto op = static_cast<Op>(i);
    auto one = parse_op_names(name_of(op), ',', wrong);
    ASSERT_TRUE(one) << name_of(op);
    EXPECT_EQ(one->bits(), Capabilities::bit(op));
    all += name_of(op);
    all += '+';
  }
  auto every = parse_op_names(all, '+', wrong);
  ASSERT_TRUE(every) << "a separator at the end is no name: " << wrong;
  EXPECT_EQ(static_cast<size_t>(std::popcount(every->bits())), kOpCount);
}

TEST(OpNames, NothingIsNamed) {
  std::string_view wrong;
  auto none = parse_op_names("", ',', wrong);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->bits(), 0u);
}

TEST(OpNames, TellsTheFirstWrongName) {
  auto wrong_in = [](std::string_view list) {
    std::string_view wrong = "none";
    EXPECT_FALSE(parse_op_names(list, ',', wrong)) << list;
    return std::string(wrong);
  };
  EXPECT_EQ(wrong_in("read,wrote,opened"), "wrote");
  EXPECT_EQ(wrong_in("read,,write"), "");
  EXPECT_EQ(wrong_in("read+write"), "read+write") << "another separator";
  EXPECT_EQ(wrong_in("Read"), "Read");
  EXPECT_EQ(wrong_in(" read"), " read");
}

}  // namespace
}  // namespace isthmus
