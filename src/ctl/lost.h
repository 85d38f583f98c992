#pragma once
#include <mutex>
#include <optional>

#include "ctl/registry.h"

namespace isthmus::ctl {

/// For a server's SourceHooks: whatever its files came from may end by itself, which ends the server. Outlives the file
/// system.
class LostSource {
 public:
  /// Sends SIGTERM to this process, as if it had been told to stop.
  void watch(SourceHooks& hooks);
  std::optional<Problem> take();

 private:
  std::mutex m_;
  std::optional<Problem> problem_;
};

}  // namespace isthmus::ctl
