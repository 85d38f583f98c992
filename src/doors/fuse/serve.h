#pragma once
#include <functional>
#include <string>

#include "base/problem.h"
#include "doors/fuse/fuse_door.h"
#include "doors/fuse/mount.h"
#include "doors/fuse/options.h"

/// The life of a process that serves one mount: fork, mount, serve, signals, unmount, end. Under `isthmus mount` and
/// under run_main() (main.h).
namespace isthmus::fuse {

struct ServeRequest {
  std::string mountpoint;
  std::string source;  ///< for messages; mount tables show options.fsname, or else what the file system says of itself
  MountOptions options;
  bool foreground = false;
  unsigned answer_seconds = 30;  ///< how long a new mount may take until it answers
};

/// What a hook gets to see of a mount that answers. May be copied and used until `ended` is called.
struct Serving {
  FileSystem& fs;
  const Door& door;
  const Mounted& mounted;
};

/// Called in the serving process (after the fork), in this order, on its main thread.
struct ServeHooks {
  /// Makes the file system; it may ask questions on the terminal and take its time. Not null. It is destroyed by the
  /// caller's owner of it, after serve() has returned.
  std::function<Expected<FileSystem*>()> open;
  /// The mount answers; the terminal is about to be left. Threads may be started.
  std::function<void(const Serving&)> ready;
  /// No operation is under way or will be; FileSystem::stop() comes next.
  std::function<void()> ended;
};

enum class ServeStage : uint8_t {
  done,     ///< served and unmounted; or, in the parent of a background server: it serves
  opening,  ///< the source could not be opened
  mounting,
  serving,  ///< it was mounted, but did not answer or had to be cut off
};

struct ServeOutcome {
  ServeStage stage = ServeStage::done;
  Problem problem;        ///< of the other stages
  bool reported = false;  ///< the parent process tells it
};

/// Serves until unmounted. Unless request.foreground, forks first: the parent returns when the mount answers, the child
/// when all is over. No thread may run yet. SIGTERM, SIGINT and SIGHUP unmount; a second one cuts the mount off.
ServeOutcome serve(const ServeRequest& request, const ServeHooks& hooks);

/// The options that concern the protocol.
SessionOptions session_options(const MountOptions& options);

}  // namespace isthmus::fuse
