#pragma once
#include "base/fd.h"

namespace isthmus::fuse {

/// SIGTERM, and SIGINT and SIGHUP where they are not ignored already, as a descriptor that becomes readable, from
/// construction until the process ends. The third signal ends the process at once, for one that is stuck before it
/// looks.
class StopSignals {
 public:
  StopSignals();
  int fd() const { return in_.get(); }
  /// Signals received since the last call.
  unsigned take();

 private:
  Fd in_, out_;
};

}  // namespace isthmus::fuse
