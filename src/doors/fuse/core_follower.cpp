#include "doors/fuse/core_follower.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/fd.h"
#include "base/text.h"

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
  // proc_pid_stat(5): "pid (name) state ...", the CPU is field 39; the name may hold anything.
  constexpr int kField = 39, kAfterName = 3;
  char path[32], text[1024];
  std::snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(thread));
  Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  ssize_t n = file ? ::read(file.get(), text, sizeof text - 1) : -1;
  if (n <= 0) return -1;
  text[n] = 0;
  const char* at = std::strrchr(text, ')');
  for (int field = kAfterName - 1; at && field < kField; field++) {
    at = std::strchr(at, ' ');
    if (at) at++;
  }
  auto cpu = parse_number(at ? std::string_view(at, std::strcspn(at, " ")) : "", INT32_MAX);
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
