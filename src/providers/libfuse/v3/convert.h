#pragma once
#include <isthmus/fuse3/fuse_lowlevel.h>
#include <isthmus/fuse3/fuse_winfsp.h>

#include "vfs/ops.h"

/// Nouns of libfuse to those of the waist and back. Pure.
namespace isthmus::libfuse {

/// Seconds to milliseconds, upwards; what is not a time of at least 0 is 0.
Ttl to_ttl(double seconds);

Attr to_attr(const struct stat& st);
Attr to_attr(const fuse_stat_ex& st);
/// UF_* and FILE_ATTRIBUTE_* for each other; flags that stand for none stay as they are in `before`.
uint32_t to_dos_attributes(uint32_t flags);
uint32_t to_flags(uint32_t dos_attributes, uint32_t before);
struct stat to_stat(const Attr& a);
/// ino 0: no such name.
Entry to_entry(const fuse_entry_param& e);
Attributes to_attributes(const struct stat& st, double timeout);
#if ISTHMUS_FUSE3_SO >= 4
/// Times and sizes that stx_mask does not have are taken as they are.
Attr to_attr(const struct statx& sx);
#endif
/// Of an operation whose handle is optional.
template <class T>
bool has_handle(const T& a) {
  return a.by_handle || a.handle != HandleId::none;
}
fuse_file_info info_of(HandleId h, uint32_t flags = 0, uint64_t owner = 0);
/// Before libfuse3.so.4 programs were not told.
inline void set_kill_suidgid([[maybe_unused]] fuse_file_info& fi, [[maybe_unused]] bool kill) {
#if ISTHMUS_FUSE3_SO >= 4
  fi.kill_suidgid = kill;
#endif
}
Opened to_opened(const fuse_file_info& fi);
/// FUSE_SET_ATTR_* of a SetMask.
int to_set(uint32_t mask);
StatFs to_statfs(const struct statvfs& s);
Lock to_lock(const struct flock& l, uint64_t owner);
struct flock to_flock(const Lock& l);
/// What flock(2) is to do.
int to_flock_operation(const Lock& l, bool wait);
unsigned to_ioctl_flags(const op::Ioctl& a);

}  // namespace isthmus::libfuse
