#include "fs/archive/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace isthmus::fs::archive {
namespace {

using ::testing::HasSubstr;

std::string complaint(std::string_view query) {
  ArchiveOptions o;
  std::string why;
  return parse_archive_options(o, query, why) ? "" : why;
}

TEST(ArchiveOptions, Parse) {
  ArchiveOptions o;
  std::string why;
  ASSERT_TRUE(parse_archive_options(o,
                                    "cache_size=2g&max_entries=1000&&max_index_memory=64M&cache_dir=/x y&uid=0&gid=7"
                                    "&charset=CP437&passphrase_file=/run/p&max_total=1t&max_ratio=5&max_filters=0",
                                    why))
      << why;
  EXPECT_EQ(o.cache_size, uint64_t{2} << 30);
  EXPECT_EQ(o.max_entries, 1000u);
  EXPECT_EQ(o.max_index_memory, uint64_t{64} << 20);
  EXPECT_EQ(o.cache_dir, "/x y");
  EXPECT_EQ(o.uid, 0u);
  EXPECT_EQ(o.gid, 7u);
  EXPECT_EQ(o.charset, "CP437");
  EXPECT_EQ(o.passphrase_file, "/run/p");
  EXPECT_EQ(o.max_total, uint64_t{1} << 40);
  EXPECT_EQ(o.max_ratio, 5u);
  EXPECT_EQ(o.max_filters, 0u);
  ASSERT_TRUE(parse_archive_options(o, "cache_dir=memory", why));
  EXPECT_TRUE(o.cache_in_memory);
  EXPECT_TRUE(parse_archive_options(o, "", why));
}

TEST(ArchiveOptions, Complaints) {
  EXPECT_THAT(complaint("cache_sise=1"), HasSubstr("unknown archive option `cache_sise`; there are cache_size"));
  EXPECT_THAT(complaint("cache_size"), HasSubstr("has no value; write cache_size=VALUE"));
  EXPECT_THAT(complaint("cache_size=big"), HasSubstr("option cache_size=big: not a number"));
  EXPECT_THAT(complaint("cache_size=1"), HasSubstr("not a number from 1048576"));
  EXPECT_THAT(complaint("cache_size=99999999999g"), HasSubstr("not a number"));
  EXPECT_THAT(complaint("max_entries=1k"), HasSubstr("not a number"));
  EXPECT_THAT(complaint("max_entries=0"), HasSubstr("not a number"));
  EXPECT_THAT(complaint("max_entries=-1"), HasSubstr("not a number"));
  EXPECT_THAT(complaint("uid=4294967295"), HasSubstr("not a number"));
  EXPECT_THAT(complaint("cache_dir="), HasSubstr("give a directory"));
  EXPECT_THAT(complaint("passphrase=secret"), HasSubstr("unknown archive option `passphrase`"));
}

}  // namespace
}  // namespace isthmus::fs::archive
