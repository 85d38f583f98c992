#pragma once
#include <span>

#include "vfs/upcalls.h"

namespace isthmus::fuse {

/// News told to the kernel on the calling thread, for providers that need to know that it has been heard, and what the
/// kernel said: ENOENT where it does not know the node or name. Upcalls are told later, by a thread of the door's.
/// Waits for the locks of what is named, so never inside an operation that the kernel holds them for, e.g. on a name of
/// the same directory. ENOTCONN before INIT and after the end.
class News {
 public:
  /// offset < 0: only the attributes. length 0: to the end.
  virtual Status tell_node(NodeId node, int64_t offset, int64_t length) = 0;
  /// expire: only to be looked up again; ENOSYS where the kernel cannot (before Linux 6.2).
  virtual Status tell_entry(NodeId dir, std::string_view name, bool expire) = 0;
  virtual Status tell_deleted(NodeId dir, NodeId child, std::string_view name) = 0;
  /// All names are to be looked up again; ENOSYS where the kernel cannot (before Linux 6.16).
  virtual Status tell_epoch() = 0;
  /// Nodes that the kernel does not use are to be forgotten; ENOSYS where it cannot (before Linux 6.18).
  virtual Status tell_unused(std::span<const uint64_t> nodes) = 0;
  /// Less than 4 GiB.
  virtual Status tell_store(NodeId node, uint64_t offset, Bytes data) = 0;
  /// As Upcalls::retrieve(); after an error the taker is not called.
  virtual Status ask(NodeId node, uint64_t offset, size_t length, Upcalls::Taker taker, void* self) = 0;

 protected:
  ~News() = default;
};

}  // namespace isthmus::fuse
