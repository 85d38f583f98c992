#include <gtest/gtest.h>

#include "libfuse/common/layout_table.h"

namespace {

/// Sizes, offsets, bits and numbers of our headers are those that programs have been compiled with.
TEST(LibfuseHeaders, HaveTheLayoutOfTheSystems) {
  auto ours = layout_of_ours(), systems = layout_of_systems();
  if (systems.empty()) GTEST_SKIP() << "no headers of the system for the version of " SONAME;
  ASSERT_EQ(ours.size(), systems.size());
  for (size_t i = 0; i < ours.size(); i++) EXPECT_EQ(ours[i], systems[i]) << ours[i].first;
}

}  // namespace
