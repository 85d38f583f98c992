#include "ctl/door_job.h"

#include <gtest/gtest.h>

namespace isthmus::ctl {
namespace {

TEST(ParseEndpoint, AddressesAndPorts) {
  struct {
    const char *text, *address;
    uint16_t port;
  } const cases[] = {
      {"", "127.0.0.1", 0},          {"8080", "127.0.0.1", 8080},    {"127.0.0.2:80", "127.0.0.2", 80},
      {"127.0.0.2", "127.0.0.2", 0}, {"127.0.0.2:", "127.0.0.2", 0}, {"::1", "::1", 0},
      {"[::1]", "::1", 0},           {"[::1]:", "::1", 0},           {"[::1]:65535", "::1", 65535},
  };
  for (const auto& c : cases) {
    auto at = parse_endpoint(c.text);
    ASSERT_TRUE(at) << c.text << ": " << at.problem().text();
    EXPECT_EQ(at->address, c.address) << c.text;
    EXPECT_EQ(at->port, c.port) << c.text;
  }
}

TEST(ParseEndpoint, WhatIsNone) {
  for (const char* text : {"[::1", "[::1]8080", "[::1]:x", "65536", "-1", "127.0.0.1:80x", "port"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
}

}  // namespace
}  // namespace isthmus::ctl
