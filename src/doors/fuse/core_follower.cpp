#include "doors/fuse/core_follower.h"

#include <string>
#include <string_view>

#include "base/text.h"
#include "run/threads.h"

namespace isthmus::fuse {

void CoreFollower::look(pid_t client, int64_t took_ns) {
  int cpu = client > 0 && took_ns < kShortNs ? cpu_of(client) : -1;
  agreed_ = cpu >= 0 && cpu == seen_ ? agreed_ + 1 : 0;
  seen_ = cpu;
  int to = agreed_ + 1 >= kAgree ? cpu : agreed_ == 0 && cpu != at_ ? -1 : at_;
  if (to == at_) return;
  move_to(to);
  at_ = to;
}

int CoreFollower::cpu_of(pid_t thread) {
  constexpr int kField = 39, kFirst = 3;
  const std::string fields = stat_behind_name("/proc/" + std::to_string(thread) + "/stat");
  std::string_view at = fields;
  for (int field = kFirst; field < kField; field++) {
    const size_t blank = at.find(' ');
    if (blank == std::string_view::npos) return -1;
    at.remove_prefix(blank + 1);
  }
  const auto cpu = parse_number(at.substr(0, at.find(' ')), INT32_MAX);
  return cpu ? static_cast<int>(*cpu) : -1;
}

void CoreFollower::move_to(int cpu) {
  if (!know_all_) know_all_ = ::sched_getaffinity(0, sizeof all_, &all_) == 0;
  if (!know_all_) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &one);
  // Refused where the CPU is not ours: slower, not wrong.
  static_cast<void>(::sched_setaffinity(0, sizeof one, CPU_COUNT(&one) ? &one : &all_));
}

}  // namespace isthmus::fuse
