#pragma once
#include "base/clock.h"

namespace isthmus {

/// FILETIME, as Windows counts: 100 ns since 1601-01-01 UTC.
constexpr uint64_t kFileTimeTicks = 10'000'000;     ///< a second
constexpr int64_t kFileTimeEpoch = 11'644'473'600;  ///< seconds from 1601 to 1970
constexpr uint64_t file_time(Time t) {
  return static_cast<uint64_t>(t.sec + kFileTimeEpoch) * kFileTimeTicks + t.nsec / 100;
}
constexpr Time from_file_time(uint64_t ticks) {
  return {static_cast<int64_t>(ticks / kFileTimeTicks) - kFileTimeEpoch,
          static_cast<uint32_t>(ticks % kFileTimeTicks) * 100};
}

}  // namespace isthmus
