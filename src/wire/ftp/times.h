#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace isthmus::wire::ftp {

/// Seconds since 1970 of a date and time in UTC; none if there is no such day or time.
std::optional<int64_t> seconds_of(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                                  unsigned second);

/// "YYYYMMDDHHMMSS[.sss]" in UTC (RFC 3659, 2.3).
std::optional<Time> parse_time(std::string_view text);
/// The same without a fraction; years 0 to 9999, others are cut to those.
std::string format_time(Time t);

/// A day and month without its year, as LIST shows recent files: the last one that is not more than a day ahead of
/// `now`.
std::optional<int64_t> recent_seconds(int64_t now, unsigned month, unsigned day, unsigned hour, unsigned minute);

}  // namespace isthmus::wire::ftp
