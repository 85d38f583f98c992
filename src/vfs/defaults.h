#pragma once
#include "vfs/filesystem.h"

/// What the waist does for operations that a file system leaves out (defaults.cpp has the list).
namespace isthmus {

/// The operations that change a file system.
constexpr Capabilities kChanges = [] {
  Capabilities c;
  for (Op op :
       {Op::Setattr, Op::Mknod, Op::Mkdir, Op::Unlink, Op::Rmdir, Op::Symlink, Op::Rename, Op::Link, Op::Tmpfile,
        Op::Create, Op::Write, Op::CopyRange, Op::Fallocate, Op::SetXattr, Op::RemoveXattr, Op::SetReparse, Op::SetAcl})
    c.set(op);
  return c;
}();

/// True when the traits say so, or when no changing operation is implemented: such operations answer EROFS then.
bool is_read_only(const FileSystem& fs);

/// ReadDir with attributes from a file system that does not fill DirEntry::with itself (Traits::dir_attr): read_dir,
/// then lookup of each name. Asked without with_attr, or where there is no lookup, the same as submit().
void submit_read_dir_with_lookup(FileSystem& fs, Pending<op::ReadDir>& p);

}  // namespace isthmus
