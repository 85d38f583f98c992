#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vfs/types.h"

namespace isthmus {

struct WatchWish {
  NodeId node = NodeId::root;  ///< a directory or a file; stays watched wherever it is renamed to
  uint32_t what = UINT32_MAX;  ///< WatchBits
  bool subtree = false;
  size_t most = 1024;  ///< events that wait for take(); beyond them only "overflow" is kept
};

struct WatchEvent {
  uint32_t what = 0;  ///< WatchBits; created and removed together: the name came, went or was replaced, nobody knows
  bool overflow = false;  ///< news was lost: look at everything again. The other fields say nothing
  std::string path;       ///< from the watched directory, "a/b"; empty: the watched node itself
  uint32_t cookie = 0;    ///< equal and not 0 in a rename's two events, where both can be seen
  uint32_t port = 0;      ///< VolumePort::id() of the door that did it; 0: the provider tells, or another program did
  uint64_t client = 0;    ///< Context::client there
};

/// A watch under way; ends with the object.
class Watching {
 public:
  virtual ~Watching() = default;
  /// What has happened since the last take, in order; equal news that nobody has taken yet is one. Any thread.
  virtual std::vector<WatchEvent> take() = 0;
};

}  // namespace isthmus
