#pragma once
#include <tuple>

#include "vfs/ops.h"

/// The fields of every argument struct by name, for whoever prints, matches or generates operations without knowing
/// them: for_each_field(args, [](std::string_view name, const auto& value) { ... }). Fields that hold a request's
/// plumbing (sinks, the door's memory) are left out.
namespace isthmus::op {

// FOR_EACH over up to 16 arguments, by deferred recursion (__VA_OPT__).
#define ISTHMUS_PARENS ()
#define ISTHMUS_EXPAND(...) ISTHMUS_EXPAND2(ISTHMUS_EXPAND2(ISTHMUS_EXPAND2(__VA_ARGS__)))
#define ISTHMUS_EXPAND2(...) ISTHMUS_EXPAND1(ISTHMUS_EXPAND1(ISTHMUS_EXPAND1(__VA_ARGS__)))
#define ISTHMUS_EXPAND1(...) __VA_ARGS__
#define ISTHMUS_EACH_FIELD(...) __VA_OPT__(ISTHMUS_EXPAND(ISTHMUS_ONE_FIELD(__VA_ARGS__)))
#define ISTHMUS_ONE_FIELD(field, ...) \
  f(#field, a.field);                 \
  __VA_OPT__(ISTHMUS_ONE_AGAIN ISTHMUS_PARENS(__VA_ARGS__))
#define ISTHMUS_ONE_AGAIN() ISTHMUS_ONE_FIELD

#define ISTHMUS_FIELDS(Type, ...)                                               \
  template <class F>                                                            \
  void for_each_field([[maybe_unused]] const Type& a, [[maybe_unused]] F&& f) { \
    ISTHMUS_EACH_FIELD(__VA_ARGS__)                                             \
  }

ISTHMUS_FIELDS(Lookup, dir, name)
ISTHMUS_FIELDS(Forget, node, count)
ISTHMUS_FIELDS(Getattr, node, handle)
ISTHMUS_FIELDS(Setattr, node, handle, set)
ISTHMUS_FIELDS(Readlink, node)
ISTHMUS_FIELDS(Mknod, dir, name, mode, rdev)
ISTHMUS_FIELDS(Mkdir, dir, name, mode)
ISTHMUS_FIELDS(Unlink, dir, name)
ISTHMUS_FIELDS(Rmdir, dir, name)
ISTHMUS_FIELDS(Symlink, dir, name, target)
ISTHMUS_FIELDS(Rename, dir, name, to_dir, to_name, flags)
ISTHMUS_FIELDS(Link, node, to_dir, to_name)
ISTHMUS_FIELDS(Tmpfile, dir, mode, flags)
ISTHMUS_FIELDS(Open, node, flags, share, kill_suidgid, access)
ISTHMUS_FIELDS(Create, dir, name, mode, flags, share, kill_suidgid, access)
ISTHMUS_FIELDS(Read, node, handle, offset, size)
ISTHMUS_FIELDS(Write, node, handle, offset, data, append, through, from_cache, kill_suidgid)
ISTHMUS_FIELDS(CopyRange, from, from_handle, from_offset, to, to_handle, to_offset, length, flags)
ISTHMUS_FIELDS(Flush, node, handle, lock_owner)
ISTHMUS_FIELDS(Release, node, handle, flags, lock_owner, unlock_flock, delete_on_close)
ISTHMUS_FIELDS(Fsync, node, handle, data_only)
ISTHMUS_FIELDS(Fallocate, node, handle, mode, offset, length)
ISTHMUS_FIELDS(SeekHole, node, handle, offset, whence)
ISTHMUS_FIELDS(OpenDir, node, flags)
ISTHMUS_FIELDS(ReadDir, node, handle, cookie, with_attr, pattern)
ISTHMUS_FIELDS(ReleaseDir, node, handle)
ISTHMUS_FIELDS(FsyncDir, node, handle, data_only)
ISTHMUS_FIELDS(Statfs, node)
ISTHMUS_FIELDS(Sync)
ISTHMUS_FIELDS(GetXattr, node, name)
ISTHMUS_FIELDS(SetXattr, node, name, value, flags, kill_sgid)
ISTHMUS_FIELDS(ListXattr, node)
ISTHMUS_FIELDS(RemoveXattr, node, name)
ISTHMUS_FIELDS(Access, node, mask)
ISTHMUS_FIELDS(GetLock, node, handle, lock)
ISTHMUS_FIELDS(SetLock, node, handle, lock, wait, whole_file)
ISTHMUS_FIELDS(SetLease, node, handle, bits)
ISTHMUS_FIELDS(Ioctl, node, handle, command, in, out_max, unrestricted)
ISTHMUS_FIELDS(Poll, node, handle, events, arm)
ISTHMUS_FIELDS(Bmap, node, block, block_size)
ISTHMUS_FIELDS(Watch, node, what, subtree)
ISTHMUS_FIELDS(Unwatch, watch)
ISTHMUS_FIELDS(GetReparse, node)
ISTHMUS_FIELDS(SetReparse, node, point, remove)
ISTHMUS_FIELDS(ListStreams, node)
ISTHMUS_FIELDS(GetAcl, node, kind)
ISTHMUS_FIELDS(SetAcl, node, kind, acl)
ISTHMUS_FIELDS(NodeToExport, node)
ISTHMUS_FIELDS(ExportToNode, handle)
ISTHMUS_FIELDS(OpenQuery, predicate, live)
ISTHMUS_FIELDS(ReadQuery, handle)

#undef ISTHMUS_FIELDS
#undef ISTHMUS_ONE_AGAIN
#undef ISTHMUS_ONE_FIELD
#undef ISTHMUS_EACH_FIELD
#undef ISTHMUS_EXPAND1
#undef ISTHMUS_EXPAND2
#undef ISTHMUS_EXPAND
#undef ISTHMUS_PARENS

}  // namespace isthmus::op
