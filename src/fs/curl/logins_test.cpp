#include "fs/curl/logins.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace isthmus::fs::curl {
namespace {

constexpr std::string_view kNetrc =
    "# comment with machine words login nobody\n"
    "machine one.example login alice password sesame\n"
    "machine two.example\n\tlogin bob\n\tpassword \"with blank and \\\" quote\"\n\taccount x\n"
    "macdef init\nmachine evil.example login x password y\n\n"
    "machine two.example login carol password other\n"
    "default login anonymous password me@here\n";

TEST(Logins, ANetrcIsReadAsItsPageSays) {
  auto one = find_login(kNetrc, "ONE.example", "");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->user, "alice");
  EXPECT_STREQ(one->password.c_str(), "sesame");
  auto bob = find_login(kNetrc, "two.example", "");
  ASSERT_TRUE(bob);
  EXPECT_EQ(bob->user, "bob");
  EXPECT_STREQ(bob->password.c_str(), "with blank and \" quote");
  auto carol = find_login(kNetrc, "two.example", "carol");
  ASSERT_TRUE(carol);
  EXPECT_STREQ(carol->password.c_str(), "other");
  EXPECT_FALSE(find_login(kNetrc, "one.example", "carol"));
  auto other = find_login(kNetrc, "evil.example", "");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->user, "anonymous");
  EXPECT_FALSE(find_login(kNetrc, "evil.example", "x"));
}

TEST(Logins, WhatEndsEarlyIsNoEntry) {
  for (std::string_view text : {"", "machine", "machine one.example login", "password", "machine \"one"}) {
    auto login = find_login(text, "one.example", "alice");
    EXPECT_FALSE(login) << text;
  }
}

TEST(Logins, TheFileIsFoundByTheEnvironment) {
  char name[] = "/tmp/isthmus-logins-XXXXXX";
  const int fd = mkstemp(name);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, kNetrc.data(), kNetrc.size()), static_cast<ssize_t>(kNetrc.size()));
  close(fd);
  setenv("NETRC", name, 1);
  auto login = find_login(std::string("one.example"), std::string("alice"));
  EXPECT_TRUE(login);
  EXPECT_TRUE(names_host("two.example"));
  EXPECT_FALSE(names_host("evil.example"));
  EXPECT_FALSE(names_host("words"));
  auto first = read_secret(name);
  ASSERT_TRUE(first);
  EXPECT_STREQ(first->c_str(), "# comment with machine words login nobody");
  unlink(name);
  EXPECT_FALSE(find_login(std::string("one.example"), std::string("alice")));
  EXPECT_FALSE(read_secret(name));
  unsetenv("NETRC");
}

}  // namespace
}  // namespace isthmus::fs::curl
