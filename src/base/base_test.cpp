#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/folder.h"
#include "base/kernel_version.h"
#include "base/log.h"
#include "base/result.h"
#include "base/utf8.h"

namespace isthmus {
namespace {

TEST(Result, ValueOrErrno) {
  Result<std::string> good = std::string("x"), bad = err(ENOENT);
  EXPECT_TRUE(good);
  EXPECT_EQ(*good, "x");
  EXPECT_EQ(good.code(), 0);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.code(), ENOENT);
  Result<int> number = 5;
  EXPECT_EQ(*number, 5);
}

TEST(Result, Names) {
  EXPECT_EQ(name_of(err(ENOTEMPTY)), "ENOTEMPTY");
  EXPECT_EQ(text_of(err(ENOENT)), "No such file or directory");
  EXPECT_EQ(name_of(err(99999)), "E?");
}

TEST(KernelVersion, IsThisOne) {
  KernelVersion v = kernel_version();
  EXPECT_TRUE(v.release.starts_with(std::to_string(v.major) + "." + std::to_string(v.minor))) << v.release;
  EXPECT_TRUE(v.at_least(v.major, v.minor));
  EXPECT_TRUE(v.at_least(v.major - 1, v.minor + 1));
  EXPECT_FALSE(v.at_least(v.major, v.minor + 1));
  EXPECT_FALSE(v.at_least(v.major + 1, 0));
}

TEST(Fd, ClosesOnce) {
  int raw = open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    Fd a(raw), b;
    b = std::move(a);
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): what it tests
    EXPECT_EQ(b.get(), raw);
    Fd c(std::move(b));
    EXPECT_NE(fcntl(raw, F_GETFD), -1);
  }
  EXPECT_EQ(fcntl(raw, F_GETFD), -1);
}

TEST(Folder, Names) {
  EXPECT_TRUE(names_in("/no/such/folder").empty());
  auto self = names_in("/proc/self");
  EXPECT_TRUE(std::is_sorted(self.begin(), self.end()));
  EXPECT_TRUE(std::binary_search(self.begin(), self.end(), std::string("fd")));
}

TEST(Time, KeepsTheYearsBefore1970) {
  Time t = to_time(timespec{.tv_sec = -5, .tv_nsec = 999'999'999});
  EXPECT_LT(t, Time{});
  EXPECT_EQ(to_timespec(t).tv_sec, -5);
  EXPECT_EQ(to_timespec(t).tv_nsec, 999'999'999);
}

TEST(Bytes, RoundUp) {
  EXPECT_EQ(round_up(0, 8), 0u);
  EXPECT_EQ(round_up(1, 8), 8u);
  EXPECT_EQ(round_up(8, 8), 8u);
}

TEST(Utf8, SequencesOfTable37) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"));
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\x80", "a\xe2\x82"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

std::string g_line;

TEST(Log, SinkLevelAndErrno) {
  set_log_sink([](LogLevel, std::string_view l) { g_line = l; });
  errno = ENOSPC;
  log(LogLevel::warning, "{} of {}", 3, "four");
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(g_line, "3 of four");
  log(LogLevel::debug, "not shown");
  EXPECT_EQ(g_line, "3 of four");
  set_log_level(LogLevel::debug);
  log(LogLevel::debug, "shown");
  EXPECT_EQ(g_line, "shown");
  set_log_level(LogLevel::warning);
  set_log_sink(nullptr);
}

}  // namespace
}  // namespace isthmus
