#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace isthmus::http {

/// A moment in the proleptic Gregorian calendar, UTC.
struct Civil {
  int64_t year = 1970;
  uint8_t month = 1, day = 1;  ///< from 1
  uint8_t hour = 0, minute = 0, second = 0;
  uint8_t weekday = 4;  ///< 0 is Sunday
};

/// Seconds since 1970 as a date; years are held within 0..9999, what HTTP and RFC 3339 can write.
Civil to_civil(int64_t sec);
/// Days since 1970-01-01 of a date that exists.
int64_t days_since_1970(int64_t year, unsigned month, unsigned day);

/// IMF-fixdate (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
void append_date(std::string& out, Time t);
std::string format_date(Time t);
/// That form and the two obsolete ones, of RFC 850 and asctime(3). Years of two digits are 1970..2069. The day of the
/// week is not checked against the date. None if it is no date.
std::optional<Time> parse_date(std::string_view text);

}  // namespace isthmus::http
