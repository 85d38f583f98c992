#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "vfs/filesystem.h"

/// What an operating system's kernel gives a file system, for doors that have none behind them (docs/volume.md).
namespace isthmus {

namespace volume {
class Core;
}
class VolumePort;

struct VolumeOptions {
  size_t cached_names = size_t{1} << 16;         ///< names kept, existing and missing ones; some 200 bytes each
  std::chrono::milliseconds break_time{35'000};  ///< after which a lease that was asked back is taken
  /// So many operations that the provider has not answered in time, and nothing new goes to it until one ends.
  unsigned most_hung = 16;
  /// Signs export handles; the same key lets them live through a restart of the server. Empty: a random one.
  std::optional<std::array<std::byte, 16>> export_key{};
};

/// What a door gets from its volume.
struct PortOptions {
  DoorKind door = DoorKind::direct;
  /// The door's clients have a kernel that caches names, checks permissions and watches over time (FUSE). The port then
  /// only takes part: others hear what it changes, it hears what others change, locks, share modes and leases hold.
  bool has_kernel = false;
  bool check_access = true;                    ///< false: clients may do what the server may
  std::chrono::milliseconds deadline{30'000};  ///< of one operation of the provider; 0: none
};

/// One file system and all doors that serve it. Each door gets a port: a FileSystem like any other, whose operations
/// are cached, checked, kept apart by locks, share modes and leases, and told to the other doors. Life: constructed,
/// start(), ports made, used and destroyed, stop(), destroyed. Any thread.
class Volume {
 public:
  /// `fs` has not been started, and outlives the volume.
  explicit Volume(FileSystem& fs, VolumeOptions options = {});
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  /// Starts the file system. Before the first port.
  Status start();
  /// Gives all lookups back and stops the file system. No port is left, but provider calls that timed out are waited
  /// for, as a file system must not be stopped under them.
  void stop();

  /// The port is started as a file system is, with the door's upcalls, and stopped when the door has ended.
  std::unique_ptr<VolumePort> port(PortOptions options);

 private:
  const std::unique_ptr<volume::Core> core_;
};

}  // namespace isthmus
