#include "base/kernel_version.h"

#include <sys/utsname.h>

#include <charconv>

namespace isthmus {

KernelVersion kernel_version() {
  KernelVersion v;
  utsname u{};
  if (uname(&u) < 0) return v;
  v.release = u.release;
  const char* end = v.release.data() + v.release.size();
  auto major = std::from_chars(v.release.data(), end, v.major);
  if (major.ec == std::errc{} && major.ptr != end && *major.ptr == '.') std::from_chars(major.ptr + 1, end, v.minor);
  return v;
}

}  // namespace isthmus
