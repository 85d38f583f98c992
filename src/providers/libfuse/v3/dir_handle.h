#pragma once
#include <isthmus/fuse3/fuse.h>
#include <isthmus/fuse3/fuse_winfsp.h>

#include <mutex>
#include <string>
#include <vector>

#include "vfs/types.h"

namespace isthmus::libfuse {

/// An open directory. Programs list in one of two ways: the whole at once, with offsets of 0, which is kept here and
/// read from the start again at cookie 0; or from any offset on, with offsets of their own, which are the cookies.
class DirHandle {
 public:
  struct Name {
    std::string name;
    fuse_stat_ex st{};
    bool has_stat = false, complete = false;
  };

  explicit DirHandle(uint64_t theirs) : theirs_(theirs) {}
  static DirHandle& of(HandleId h) {
    return *reinterpret_cast<DirHandle*>(raw(h));  // NOLINT(performance-no-int-to-ptr): id()'s
  }
  static HandleId id(const DirHandle* d) { return HandleId{reinterpret_cast<uintptr_t>(d)}; }
  /// The program's handle.
  static HandleId programs(HandleId h) { return h == HandleId::none ? h : HandleId{of(h).theirs_}; }

  std::mutex m;  // held by who lists, also while the program does: before a PathTable's
  std::vector<Name> names;
  bool listed = false;  // `names` is the whole

 private:
  const uint64_t theirs_;
};

}  // namespace isthmus::libfuse
