#pragma once
#include <memory>

#include "providers/libfuse/v2/structs.h"
#include "providers/libfuse/v3/low_level_fs.h"

namespace isthmus::libfuse::v2 {

/// A program's fuse_lowlevel_ops. Those of versions 2.4 and 2.5 are the start of today's.
struct NodeCallbacks {
  fuse_lowlevel_ops op{};
  bool old_info = false;  ///< 2.4: fuse_file_info_compat
};
NodeCallbacks callbacks_of(const fuse_lowlevel_ops* ops, size_t size);
NodeCallbacks callbacks_of(const fuse_lowlevel_ops_compat25* ops, size_t size);
NodeCallbacks callbacks_of(const fuse_lowlevel_ops_compat* ops, size_t size);

/// A program of nodes, as a file system in our own form.
std::unique_ptr<LowLevelFs> make_low_level(const NodeCallbacks& callbacks, void* userdata);

}  // namespace isthmus::libfuse::v2
