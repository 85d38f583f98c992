#include "control/describe.h"

#include <unistd.h>

#include "vfs/op_names.h"

namespace isthmus::control {

Status describe(const fuse::SessionStats& stats, const Counters& counters) {
  Status s;
  s.version = ISTHMUS_VERSION;
  s.door = "fuse";
  s.transport = stats.by_rings ? "io_uring" : "/dev/fuse";
  s.protocol = "7." + std::to_string(stats.minor);
  s.settled = stats.settled;
  s.pid = getpid();
  s.uid = geteuid();
  s.errors = stats.errors;
  s.threads = stats.threads;
  for (size_t i = 0; i < kOpCount; i++)
    if (uint64_t n = counters.get(static_cast<Op>(i))) {
      s.by_operation.emplace_back(name_of(static_cast<Op>(i)), n);
      s.operations += n;
    }
  return s;
}

}  // namespace isthmus::control
