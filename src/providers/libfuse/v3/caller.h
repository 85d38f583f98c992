#pragma once
#include <isthmus/fuse3/fuse.h>

#include "vfs/context.h"

namespace isthmus::libfuse {

/// What fuse_get_context() shows on this thread, while a callback runs and until the next one.
class Caller {
 public:
  /// For a callback. The thread's cancel goes with it.
  Caller(struct fuse* f, const Context& ctx);
  /// For one that no request asks for: uid, gid and pid are 0, as in the original.
  explicit Caller(struct fuse* f);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  static fuse_context& context();
  static bool interrupted();
};

/// Supplementary groups of a process: how many there are, of which up to `size` are in `list`; or -errno.
int groups_of(pid_t process, int size, gid_t* list);

/// Makes `data` the private_data of this thread's context, for one layer's callback.
class PrivateData {
 public:
  explicit PrivateData(void* data) : before_(Caller::context().private_data) { Caller::context().private_data = data; }
  ~PrivateData() { Caller::context().private_data = before_; }
  PrivateData(const PrivateData&) = delete;
  PrivateData& operator=(const PrivateData&) = delete;

 private:
  void* before_;
};

}  // namespace isthmus::libfuse
