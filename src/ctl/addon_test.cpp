#include "ctl/addon.h"

#include <gmock/gmock.h>

namespace isthmus::ctl {
namespace {

using testing::ElementsAre;

TEST(Addon, ArgumentsAreSplitAtBlanks) {
  EXPECT_THAT(split_arguments(""), ElementsAre());
  EXPECT_THAT(split_arguments("  a  b\\ c \\\\d "), ElementsAre("a", "b c", "\\d"));
  EXPECT_THAT(split_arguments("end\\"), ElementsAre("end\\"));
}

TEST(Addon, EverythingElseIsBehindO) {
  auto source = parse_source("trace+addon:/bin/sh?args=host:/x%20-C&reconnect&name=a,b\\c&trace.format=json");
  ASSERT_TRUE(source) << source.problem().text();
  EXPECT_THAT(addon_arguments(*source, {"ro,allow_other"}, "/mnt"),
              ElementsAre(testing::AnyOf("sh", "dash", "bash"), "host:/x", "-C", "-o", "ro,allow_other", "-o",
                          "reconnect", "-o", "name=a\\,b\\\\c", "/mnt", "-f"));
}

}  // namespace
}  // namespace isthmus::ctl
