#pragma once
#include <isthmus/fuse3/fuse.h>

#include <cerrno>
#include <functional>
#include <memory>

#include "providers/libfuse/v3/caller.h"

/// A program's fuse_operations, or a module's over others. A callback that is absent is -ENOSYS unless said otherwise;
/// the others' results are the callbacks'. Any thread, as the program's callbacks.
struct fuse_fs {
  fuse_fs(const fuse_operations& o, void* data) : op(o), private_data(data) {}

  template <class R, class... P, class... A>
  R call(R (*fuse_operations::*callback)(P...), A... arguments) const {
    if (!(op.*callback)) return static_cast<R>(-ENOSYS);
    return run(op.*callback, arguments...);
  }
  /// Absent: 0.
  template <class... P, class... A>
  int call_or_succeed(int (*fuse_operations::*callback)(P...), A... arguments) const {
    return op.*callback ? run(op.*callback, arguments...) : 0;
  }

  /// By read_buf() or read(). Bytes, or -errno.
  int read(const char* path, char* to, size_t size, off_t off, fuse_file_info* fi) const;
  /// By read_buf() or, into memory of ours, read(). *list is the caller's to free (free_list()). 0 or more, or -errno.
  int read_buf(const char* path, fuse_bufvec** list, size_t size, off_t off, fuse_file_info* fi) const;
  /// By write_buf() or write(). Bytes, or -errno.
  int write_buf(const char* path, fuse_bufvec* list, off_t off, fuse_file_info* fi) const;
  /// Absent: sizes of nothing in particular.
  int statfs(const char* path, struct statvfs* to) const;
  void init(fuse_conn_info& conn, fuse_config& config);
  void destroy() const;

  fuse_operations op;
  void* private_data;
  std::shared_ptr<void> library;  // a module's
  std::shared_ptr<void> owned;    // what private_data is of, if it is ours

 private:
  template <class R, class... P, class... A>
  R run(R (*callback)(P...), A... arguments) const {
    isthmus::libfuse::PrivateData scope(private_data);
    return callback(arguments...);
  }
};

namespace isthmus::libfuse {

/// A list as read_buf() gives it: the memory of its pieces and its own are of malloc.
struct FreeList {
  void operator()(fuse_bufvec* list) const;
};
using List = std::unique_ptr<fuse_bufvec, FreeList>;

}  // namespace isthmus::libfuse
