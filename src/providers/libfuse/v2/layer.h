#pragma once
#include <memory>

#include "providers/libfuse/v2/structs.h"
#include "providers/libfuse/v3/layer.h"

namespace isthmus::libfuse::v2 {

/// The versions of fuse_operations, by the first that had it.
enum class Since : unsigned char {
  v1_1,  ///< fuse_operations_compat1
  v2_0,  ///< fuse_operations_compat2
  v2_2,  ///< fuse_operations_compat22: struct statfs, fuse_file_info_compat
  v2_5,  ///< the start of today's, init() without arguments
};

/// A program's callbacks, as the table of today has them. Those of `before_2_2` differ in type from those of the same
/// name, which are null then.
struct Callbacks {
  Since since = Since::v2_5;
  fuse_operations op{};
  struct {
    int (*getdir)(const char*, fuse_dirh_t, fuse_dirfil_t_compat);
    int (*open)(const char*, int);
    int (*read)(const char*, char*, size_t, off_t);
    int (*write)(const char*, const char*, size_t, off_t);
    int (*flush)(const char*);
    int (*release)(const char*, int);
    int (*fsync)(const char*, int);
    int (*statfs_1)(fuse_statfs_compat1*);
  } before_2_2{};
  int (*statfs_before_2_5)(const char*, struct statfs*) = nullptr;
};

/// `size`: of the program's table, which may be an older and shorter one.
Callbacks callbacks_of(const fuse_operations* ops, size_t size);
Callbacks callbacks_of(const fuse_operations_compat25* ops, size_t size);
Callbacks callbacks_of(const fuse_operations_compat22* ops, size_t size);
Callbacks callbacks_of(const fuse_operations_compat2& ops);
Callbacks callbacks_of(const fuse_operations_compat1& ops);

/// Them as a file system in our own form: each of its callbacks runs one of the program's. std::bad_alloc.
std::unique_ptr<::fuse_fs> make_layer(const Callbacks& callbacks, void* user_data);

/// fuse_conn_info as init() is to see it, and what it made of it.
fuse_conn_info to_v2(const ::fuse_conn_info& conn);
void take_answer(const fuse_conn_info& conn, ::fuse_conn_info& to);

}  // namespace isthmus::libfuse::v2
