#pragma once
#include <compare>
#include <cstdint>
#include <ctime>

namespace isthmus {

/// A point in time since 1970-01-01 UTC. nsec is always 0..999,999,999, also before 1970, as in struct timespec.
struct Time {
  int64_t sec = 0;
  uint32_t nsec = 0;
  friend constexpr auto operator<=>(const Time&, const Time&) = default;
};

constexpr int64_t kNsPerSec = 1'000'000'000;

inline Time to_time(const timespec& t) { return {t.tv_sec, static_cast<uint32_t>(t.tv_nsec)}; }
inline timespec to_timespec(Time t) { return {.tv_sec = t.sec, .tv_nsec = t.nsec}; }

inline Time clock_time(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return to_time(t);
}
/// For time stamps of files. As fine as the clock goes, so that two changes in one tick of the kernel differ, as they
/// do on native file systems since Linux 6.13 (multigrain time stamps).
inline Time now() { return clock_time(CLOCK_REALTIME); }
/// Nanoseconds of a clock that never jumps.
inline int64_t monotonic_ns() {
  Time t = clock_time(CLOCK_MONOTONIC);
  return t.sec * kNsPerSec + t.nsec;
}

}  // namespace isthmus
