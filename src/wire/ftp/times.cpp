#include "wire/ftp/times.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace isthmus::wire::ftp {
namespace {

constexpr int64_t kDay = 86'400;

bool leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

unsigned days_in(int64_t year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap(year) ? 29 : kDays[month - 1];
}

/// Days from 1970-01-01: whole years of 365 days, their leap days, whole months.
int64_t days_of(int64_t year, unsigned month, unsigned day) {
  const int64_t before = year - 1;
  int64_t days =
      (year - 1970) * 365 + (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
  for (unsigned m = 1; m < month; m++) days += days_in(year, m);
  return days + day - 1;
}

int64_t year_of(int64_t sec) {
  int64_t year = std::clamp<int64_t>(1970 + sec / (365 * kDay + kDay / 4), 1, 9999);
  while (year < 9999 && days_of(year + 1, 1, 1) * kDay <= sec) year++;
  while (year > 1 && days_of(year, 1, 1) * kDay > sec) year--;
  return year;
}

}  // namespace

std::optional<int64_t> seconds_of(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                                  unsigned second) {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
      minute > 59 || second > 60)
    return std::nullopt;
  return days_of(year, month, day) * kDay + hour * 3600 + minute * 60 + second;
}

std::optional<Time> parse_time(std::string_view text) {
  if (text.size() < 14) return std::nullopt;
  uint32_t fields[6];
  constexpr size_t kWidths[] = {4, 2, 2, 2, 2, 2};
  for (size_t i = 0, at = 0; i < 6; at += kWidths[i], i++) {
    auto n = parse_number(text.substr(at, kWidths[i]));
    if (!n) return std::nullopt;
    fields[i] = static_cast<uint32_t>(*n);
  }
  auto sec = seconds_of(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]);
  if (!sec) return std::nullopt;
  Time t{*sec, 0};
  std::string_view rest = text.substr(14);
  if (rest.empty()) return t;
  if (rest[0] != '.' || rest.size() < 2 || rest.size() > 20) return std::nullopt;
  uint32_t unit = 100'000'000;
  for (char c : rest.substr(1)) {
    if (c < '0' || c > '9') return std::nullopt;
    t.nsec += static_cast<uint32_t>(c - '0') * unit;
    unit /= 10;
  }
  return t;
}

std::string format_time(Time t) {
  const int64_t sec = std::clamp<int64_t>(t.sec, days_of(1, 1, 1) * kDay, days_of(9999, 12, 31) * kDay + kDay - 1);
  const int64_t year = year_of(sec);
  int64_t left = sec - days_of(year, 1, 1) * kDay;
  unsigned month = 1;
  while (left >= days_in(year, month) * kDay) left -= days_in(year, month++) * kDay;
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", year, month, left / kDay + 1, left % kDay / 3600,
                     left % 3600 / 60, left % 60);
}

std::optional<int64_t> recent_seconds(int64_t now, unsigned month, unsigned day, unsigned hour, unsigned minute) {
  const int64_t year = year_of(now + kDay);
  // February 29 may lie up to eight years back.
  for (int64_t y = year; y > year - 9; y--)
    if (auto sec = seconds_of(y, month, day, hour, minute, 0); sec && *sec <= now + kDay) return sec;
  return std::nullopt;
}

}  // namespace isthmus::wire::ftp
