#include "wire/dav/dates.h"

#include "wire/http/dates.h"

namespace isthmus::dav {

void append_rfc3339(std::string& out, Time t) {
  http::Civil c = http::to_civil(t.sec);
  char text[] = "0000-00-00T00:00:00Z";
  auto put = [&text](size_t end, int64_t n) {
    for (; n > 0; n /= 10) text[--end] = static_cast<char>('0' + n % 10);
  };
  put(4, c.year);
  put(7, c.month);
  put(10, c.day);
  put(13, c.hour);
  put(16, c.minute);
  put(19, c.second);
  out.append(text, sizeof text - 1);
}

std::string format_rfc3339(Time t) {
  std::string out;
  append_rfc3339(out, t);
  return out;
}

}  // namespace isthmus::dav
