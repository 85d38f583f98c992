// What no server can be faster than: two threads on one core that wake each other.
#include <sched.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <thread>

#include "bench/fuse/measure/meter.h"

namespace isthmus::bench {
namespace {

void stay_on_first_core() {
  cpu_set_t allowed;
  need(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
  int core = 0;
  while (!CPU_ISSET(core, &allowed)) core++;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  need(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
}

void signal(const Fd& event) {
  uint64_t one = 1;
  need(write(event.get(), &one, sizeof one) == sizeof one, "eventfd");
}

void await(const Fd& event) {
  uint64_t value = 0;
  need(read(event.get(), &value, sizeof value) == sizeof value, "eventfd");
}

}  // namespace

void measure_floor(Meter& meter, const Setup& setup) {
  stay_on_first_core();  // and the thread made here
  const Fd there(eventfd(0, EFD_CLOEXEC)), back(eventfd(0, EFD_CLOEXEC));
  need(there && back, "eventfd");
  const int times = setup.files * 5;
  std::thread partner([&] {
    for (int i = 0; i < times; i++) {
      await(there);
      signal(back);
    }
  });
  meter.phase("ping_pong", times, [&] {
    for (int i = 0; i < times; i++) {
      signal(there);
      await(back);
    }
  });
  partner.join();
}

}  // namespace isthmus::bench
