#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vfs/baton.h"
#include "vfs/filesystem.h"

namespace isthmus {

/// Looks `names` up one below the other, starting at a node the caller holds. The answer is the last one's Entry, which
/// the caller must give back with Forget; the lookups of the steps between are given back here. Symlinks are not
/// followed. ENOTDIR and ENOENT as lookup says; a negative entry is ENOENT. Owned by the caller until `done` has run;
/// run() once.
class Walk final : Pending<op::Lookup> {
 public:
  using Done = std::function<void(Result<Entry>)>;

  Walk(FileSystem& fs, NodeId at, std::vector<std::string> names, const Context& context, Done done)
      : fs_(fs), at_(at), names_(std::move(names)), done_(std::move(done)) {
    ctx = context;
  }
  void run();

 private:
  void answered(Result<Entry>&& r) noexcept override;
  void give_back();

  FileSystem& fs_;
  NodeId at_;
  bool counted_ = false;  // at_ is from a lookup of ours
  std::vector<std::string> names_;
  size_t next_ = 0;
  std::optional<Result<Entry>> got_;
  Baton baton_;
  Done done_;
};

}  // namespace isthmus
