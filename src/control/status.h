#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.h"
#include "doors/common/door_metrics.h"

namespace isthmus::control {

/// A door that has no kernel behind it.
struct DoorStatus {
  std::string door;  ///< "webdav"
  std::string at;    ///< URL without its secret
  DoorMetrics::Snapshot metrics;
  uint64_t locks = 0;  ///< that clients hold
};

/// What a serving process tells about itself. Never holds a secret.
struct Status {
  std::string version;                                       ///< of isthmus
  std::string source;                                        ///< Source::label()
  std::string mountpoint;                                    ///< absolute
  std::string door;                                          ///< "fuse"
  std::string transport;                                     ///< "/dev/fuse", "io_uring"
  std::string protocol;                                      ///< "7.45"
  std::vector<std::pair<std::string, std::string>> settled;  ///< with the kernel: names and values (docs/fuse.md)
  int pid = 0;
  uint32_t uid = 0;
  int64_t started = 0;      ///< seconds since 1970
  uint64_t operations = 0;  ///< asked of the file system since then
  uint64_t errors = 0;      ///< answered with an errno
  unsigned threads = 0;
  std::vector<std::pair<std::string, uint64_t>> by_operation;  ///< those asked for at least once
  std::vector<DoorStatus> doors;
  double per_second = 0;  ///< operations, over the short time list_mounts() looked; not sent
};

}  // namespace isthmus::control
