#pragma once
#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/problem.h"
#include "vfs/filesystem.h"

namespace isthmus::userfs {

struct Options {
  /// The peer's handles are the provider's node numbers, which fit into 32 bits and mean the same files after a
  /// restart: the peer's kernel may go on with them. The provider is asked about any number then, also ones it never
  /// gave.
  bool lasting_handles = false;
  bool read_only = false;
  unsigned max_threads = 64;
};

/// A file system served to one peer over two descriptors of whatever kind, which may be one and the same
/// (docs/userfs.md). The file system is not started; it outlives the door.
class UserfsDoor {
 public:
  /// `ended` is called once, on a thread of the door, when the peer has ended the session, is gone or speaks nonsense.
  UserfsDoor(FileSystem& fs, Fd in, Fd out, Options options, std::function<void()> ended);
  ~UserfsDoor();  ///< stop()

  /// Starts the file system, and threads.
  Status start();
  /// What runs is cancelled and waited for, what the peer had is given back, the file system is stopped. Not on a
  /// thread of the door.
  void stop();
  /// The session has ended by umount, or by the end of the file between two packets.
  bool clean() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace isthmus::userfs
