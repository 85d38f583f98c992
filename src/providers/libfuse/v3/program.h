#pragma once
#include <isthmus/fuse3/fuse_common.h>

#include "vfs/filesystem.h"

namespace isthmus::libfuse {

/// A program as its session sees it: its files, and what it has to say of the whole.
class Program {
 public:
  Program() = default;
  virtual ~Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  virtual FileSystem& files() = 0;
  virtual void* userdata() const = 0;
  /// FUSE_CAP_* that it gets for the callbacks it has, unless init() says otherwise.
  virtual unsigned usual_wants() const = 0;
  /// Whether those who are interrupted wait for their answers all the same (fuse_conn_info::no_interrupt).
  virtual void ignore_interrupts(bool /*yes*/) {}
  /// The device that requests come by; -1: none, or no longer.
  virtual void use_device(int /*device*/) {}
  virtual void init(fuse_conn_info& conn) = 0;
  virtual void destroy() = 0;
  /// The session is over: what has not been answered is.
  virtual void abandon() {}
  /// An answer to fuse_lowlevel_notify_retrieve().
  virtual void retrieved(void* /*cookie*/, NodeId, uint64_t /*offset*/, Bytes) {}

  /// Whose it is.
  fuse_session* session = nullptr;
  /// It is told where setuid bits are to be cleared (FUSE_CAP_HANDLE_KILLPRIV_V2).
  bool hears_suidgid = false;
};

}  // namespace isthmus::libfuse

/// Who wants to hear of an armed poll. The program's, until fuse_pollhandle_destroy().
struct fuse_pollhandle {
  fuse_session* session;
  isthmus::NodeId node;
  isthmus::HandleId handle;
};
