#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "fs/pass/fd_cache.h"

namespace isthmus::fs::pass {

class Watch;

/// A mount at or below the folder whose files can be opened by kernel handle.
struct Mount {
  int id = -1;       ///< as in /proc/self/mountinfo; not used again while fd is open
  uint64_t dev = 0;  ///< of the directory that fd is
  SharedFd fd;  ///< a directory opened for reading (open_by_handle_at(2) refuses O_PATH); null: handles do not open
  bool late = false;     ///< the store may say only at close(2) that something was not written
  bool watched = false;  ///< what others change in its store is heard (Watch)
};

/// The mounts seen so far. The root's lives as long as this, others as long as a node is in them, so that an idle mount
/// below the folder can be unmounted. Any thread.
class Mounts {
 public:
  /// `root` is the folder. With handles off, or where they cannot be opened again (no CAP_DAC_READ_SEARCH, a store
  /// without them), every node is found by its name.
  /// watch: may be null; is asked to hear of each mount's store.
  void start(int root, bool handles, Watch* watch);
  bool handles() const { return root_ && root_->fd; }
  /// The mount that `name` in `dir` was seen in; null when its files cannot be opened by handle. The server's own
  /// identity.
  std::shared_ptr<const Mount> of(FdCache& fds, int dir, const char* name, const Look& look);
  /// The one known by device, for export handles; 0 means the root's.
  std::shared_ptr<const Mount> by_dev(uint64_t dev) const;
  std::vector<std::shared_ptr<const Mount>> all() const;
  const std::shared_ptr<const Mount>& root() const { return root_; }

 private:
  /// `dir` is a descriptor opened for reading.
  std::shared_ptr<Mount> probe(SharedFd dir) const;

  Watch* watch_ = nullptr;
  std::shared_ptr<const Mount> root_;
  mutable std::mutex m_;  // guards others_; a leaf
  std::map<int, std::weak_ptr<const Mount>> others_;
};

}  // namespace isthmus::fs::pass
