#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

/// Inode flags (lsattr, chattr) and project attributes only: they are plain values of fixed size that mean the same on
/// every store. Anything else may hold pointers or descriptors of the caller.
Result<IoctlReply> PassFs::ioctl(const Context& ctx, const op::Ioctl& a) {
  bool sets = a.command == FS_IOC_SETFLAGS || a.command == FS_IOC_FSSETXATTR || a.command == FS_IOC32_SETFLAGS;
  bool gets = a.command == FS_IOC_GETFLAGS || a.command == FS_IOC_FSGETXATTR || a.command == FS_IOC32_GETFLAGS;
  if (!sets && !gets) return err(ENOTTY);
  if (auto s = writable(); sets && !s) return s.error();
  auto n = nodes_.get(a.node, Op::Ioctl);
  if (!n) return n.error();
  if ((*n)->type != S_IFREG && (*n)->type != S_IFDIR) return err(ENOTTY);
  uint32_t command = a.command;
  if (command == FS_IOC32_GETFLAGS) command = FS_IOC_GETFLAGS;
  if (command == FS_IOC32_SETFLAGS) command = FS_IOC_SETFLAGS;

  OpenFile* f = a.directory || (*n)->type == S_IFDIR ? nullptr : file(a.handle);
  auto fd = f ? Result<SharedFd>(f->fd) : nodes_.open(**n, O_RDONLY | O_CLOEXEC);
  if (!fd) return fd.error();
  alignas(8) std::array<char, sizeof(fsxattr)> value{};
  bool is_flags = command == FS_IOC_GETFLAGS || command == FS_IOC_SETFLAGS;
  size_t size = is_flags ? sizeof(int) : sizeof(fsxattr);
  if (sets && a.in.size() < size) return err(EINVAL);
  std::copy_n(reinterpret_cast<const char*>(a.in.data()), std::min(a.in.size(), size), value.data());

  Context asked = ctx;
  asked.access_checked = false;  // who may change flags is for the store to say
  AsCaller as(*ids_, asked, AsCaller::Why::check);
  if (!as) return as.error();
  int result = ::ioctl((*fd)->get(), command, value.data());
  if (result < 0) return last_errno();
  IoctlReply reply;
  reply.result = result;
  if (gets) reply.out.assign(value.data(), std::min(size, a.out_max));
  return reply;
}

}  // namespace isthmus::fs::pass
