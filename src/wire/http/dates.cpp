#include "wire/http/dates.h"

#include <algorithm>
#include <array>

namespace isthmus::http {
namespace {

constexpr int64_t kDay = 86'400;
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

unsigned days_of(int64_t year, unsigned month) {
  if (month == 2) return leap(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// Takes parts of a date from the left. After a part that does not fit nothing fits any more.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void literal(std::string_view expected) {
    ok_ = ok_ && text_.starts_with(expected);
    if (ok_) text_.remove_prefix(expected.size());
  }
  unsigned number(size_t digits) {
    unsigned n = 0;
    ok_ = ok_ && text_.size() >= digits;
    for (size_t i = 0; ok_ && i < digits; i++) {
      ok_ = text_[i] >= '0' && text_[i] <= '9';
      n = n * 10 + static_cast<unsigned>(text_[i] - '0');
    }
    if (ok_) text_.remove_prefix(digits);
    return n;
  }
  /// Day of asctime: two digits, or a space and one.
  unsigned padded() {
    if (ok_ && text_.starts_with(' ')) {
      literal(" ");
      return number(1);
    }
    return number(2);
  }
  template <size_t N>
  unsigned one_of(const std::array<std::string_view, N>& names, size_t length = std::string_view::npos) {
    for (unsigned i = 0; ok_ && i < N; i++)
      if (auto name = names[i].substr(0, length); text_.starts_with(name)) {
        text_.remove_prefix(name.size());
        return i;
      }
    ok_ = false;
    return 0;
  }
  bool starts_with(std::string_view s) const { return text_.starts_with(s); }
  bool whole() const { return ok_ && text_.empty(); }

 private:
  std::string_view text_;
  bool ok_ = true;
};

struct Parts {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;

  void clock(Reader& r) {
    hour = r.number(2);
    r.literal(":");
    minute = r.number(2);
    r.literal(":");
    second = r.number(2);
  }
};

}  // namespace

// Years are counted from 1 March, so that the leap day is the last one of a year; 400 years have 146,097 days.
int64_t days_since_1970(int64_t year, unsigned month, unsigned day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t of_era = y - era * 400;
  int64_t of_year = (153 * (static_cast<int64_t>(month) + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

Civil to_civil(int64_t sec) {
  constexpr int64_t kFirst = -719'528 * kDay, kLast = 2'932'897 * kDay - 1;  // years 0 and 9999
  sec = std::clamp(sec, kFirst, kLast);
  int64_t days = (sec >= 0 ? sec : sec - (kDay - 1)) / kDay;
  int64_t of_day = sec - days * kDay;
  int64_t since = days + 719'468;  // 0000-03-01
  int64_t era = (since >= 0 ? since : since - 146'096) / 146'097;
  int64_t of_era = since - era * 146'097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  int64_t march_month = (5 * of_year + 2) / 153;
  int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {.year = year + era * 400 + (month <= 2 ? 1 : 0),
          .month = static_cast<uint8_t>(month),
          .day = static_cast<uint8_t>(of_year - (153 * march_month + 2) / 5 + 1),
          .hour = static_cast<uint8_t>(of_day / 3600),
          .minute = static_cast<uint8_t>(of_day / 60 % 60),
          .second = static_cast<uint8_t>(of_day % 60),
          .weekday = static_cast<uint8_t>(((days + 4) % 7 + 7) % 7)};
}

void append_date(std::string& out, Time t) {
  Civil c = to_civil(t.sec);
  char text[] = "Www, 00 Mmm 0000 00:00:00 GMT";
  auto put = [&text](size_t end, int64_t n) {
    for (; n > 0; n /= 10) text[--end] = static_cast<char>('0' + n % 10);
  };
  kWeekdays[c.weekday].copy(text, 3);
  put(7, c.day);
  kMonths[c.month - 1u].copy(text + 8, 3);
  put(16, c.year);
  put(19, c.hour);
  put(22, c.minute);
  put(25, c.second);
  out.append(text, sizeof text - 1);
}

std::string format_date(Time t) {
  std::string out;
  out.reserve(29);
  append_date(out, t);
  return out;
}

std::optional<Time> parse_date(std::string_view text) {
  Reader r(text);
  Parts p;
  size_t comma = text.find(',');
  if (comma == 3) {
    r.one_of(kWeekdays, 3);
    r.literal(", ");
    p.day = r.number(2);
    r.literal(" ");
    p.month = r.one_of(kMonths) + 1;
    r.literal(" ");
    p.year = r.number(4);
    r.literal(" ");
    p.clock(r);
    r.literal(" GMT");
  } else if (comma != std::string_view::npos) {
    r.one_of(kWeekdays);
    r.literal(", ");
    p.day = r.number(2);
    r.literal("-");
    p.month = r.one_of(kMonths) + 1;
    r.literal("-");
    p.year = r.number(2);
    p.year += p.year < 70 ? 2000 : 1900;
    r.literal(" ");
    p.clock(r);
    r.literal(" GMT");
  } else {
    r.one_of(kWeekdays, 3);
    r.literal(" ");
    p.month = r.one_of(kMonths) + 1;
    r.literal(" ");
    p.day = r.padded();
    r.literal(" ");
    p.clock(r);
    r.literal(" ");
    p.year = r.number(4);
  }
  // 60: a leap second, which is the first second of the next minute here, as in POSIX.
  if (!r.whole() || p.day < 1 || p.day > days_of(p.year, p.month) || p.hour > 23 || p.minute > 59 || p.second > 60)
    return std::nullopt;
  int64_t of_day = (int64_t{p.hour} * 60 + p.minute) * 60 + p.second;
  return Time{.sec = days_since_1970(p.year, p.month, p.day) * kDay + of_day, .nsec = 0};
}

}  // namespace isthmus::http
