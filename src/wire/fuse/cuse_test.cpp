#include "wire/fuse/cuse.h"

#include <gtest/gtest.h>

#include "wire/fuse/flags.h"

namespace isthmus::wire::fuse {
namespace {

Result<std::string> name_in(std::string_view info) { return cuse_device_name(as_bytes(info)); }

TEST(CuseTest, NameOfADevice) {
  using namespace std::literals;
  EXPECT_EQ(*name_in("DEVNAME=fioc\0"sv), "fioc");
  EXPECT_EQ(*name_in("\0\0 OTHER = x\0\0DEVNAME=first\0 DEVNAME \t= second \0\0"sv), "second");
  EXPECT_EQ(*name_in("DEVNAME=snd/dsp=1\0"sv), "snd!dsp=1");
}

TEST(CuseTest, WhatIsNone) {
  using namespace std::literals;
  for (auto info : {""sv, "\0"sv, "DEVNAME=x"sv, "DEVNAME=\0"sv, "DEVNAME\0"sv, "OTHER=x\0"sv, "DEVNAME=.\0"sv,
                    "DEVNAME=..\0"sv, "DEVNAME=x\0=y\0"sv, "DEVNAME=x\0DEVNAME= \0"sv})
    EXPECT_EQ(name_in(info).code(), EINVAL) << info;
  EXPECT_FALSE(name_in("DEVNAME=" + std::string(256, 'n') + '\0'));
  EXPECT_TRUE(name_in("DEVNAME=" + std::string(255, 'n') + '\0'));
  std::string long_one = "DEVNAME=x" + std::string(kCuseInitInfoMax - 9, '\0');
  EXPECT_TRUE(name_in(long_one));
  EXPECT_FALSE(name_in(long_one + '\0'));
}

TEST(CuseTest, EveryBeginningIsTakenOrRefused) {
  const std::string whole = std::string("A=b\0 DEVNAME = c\0", 17);
  for (size_t n = 0; n <= whole.size(); n++) EXPECT_EQ(name_in(whole.substr(0, n)).ok(), n == whole.size()) << n;
}

}  // namespace
}  // namespace isthmus::wire::fuse
