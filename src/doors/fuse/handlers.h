#pragma once
#include "doors/fuse/exchange.h"

/// One function for each request of the kernel, by family: ops_node, ops_file, ops_dir, ops_xattr, ops_lock, ops_misc.
/// Each takes an exchange whose message has been checked and sees to its answer.
namespace isthmus::fuse {

using Handler = void (*)(Exchange&);

// ops_node.cpp
void do_lookup(Exchange&);
void do_forget(Exchange&);
void do_batch_forget(Exchange&);
void do_getattr(Exchange&);
void do_statx(Exchange&);
void do_setattr(Exchange&);
void do_readlink(Exchange&);
void do_mknod(Exchange&);
void do_mkdir(Exchange&);
void do_symlink(Exchange&);
void do_link(Exchange&);
void do_unlink(Exchange&);
void do_rmdir(Exchange&);
void do_rename(Exchange&);
void do_rename2(Exchange&);
void do_access(Exchange&);

// ops_file.cpp
void do_open(Exchange&);
void do_create(Exchange&);
void do_tmpfile(Exchange&);
void do_read(Exchange&);
void do_write(Exchange&);
void do_flush(Exchange&);
void do_release(Exchange&);
void do_fsync(Exchange&);
void do_fallocate(Exchange&);
void do_lseek(Exchange&);
void do_copy_file_range(Exchange&);
void do_copy_file_range_64(Exchange&);

// ops_dir.cpp
void do_opendir(Exchange&);
void do_readdir(Exchange&);
void do_readdirplus(Exchange&);
void do_releasedir(Exchange&);
void do_fsyncdir(Exchange&);

// ops_xattr.cpp
void do_getxattr(Exchange&);
void do_listxattr(Exchange&);
void do_setxattr(Exchange&);
void do_removexattr(Exchange&);

// ops_lock.cpp
void do_getlk(Exchange&);
void do_setlk(Exchange&);
void do_setlkw(Exchange&);

// ops_misc.cpp
void do_init(Exchange&);
void do_destroy(Exchange&);
void do_interrupt(Exchange&);
void do_notify_reply(Exchange&);
void do_statfs(Exchange&);
void do_syncfs(Exchange&);
void do_ioctl(Exchange&);
void do_poll(Exchange&);
void do_bmap(Exchange&);
void do_nothing_known(Exchange&);  ///< ENOSYS

/// For answers that are nothing but success or failure.
template <class T>
void answer_unit(Exchange& x, const T&, Result<Unit>&& r) {
  if (r)
    x.reply();
  else
    x.error(r.error());
}

}  // namespace isthmus::fuse
