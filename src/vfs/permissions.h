#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vfs/context.h"
#include "vfs/posix_acl.h"
#include "vfs/types.h"

/// The rules by which Linux decides who may do what (path_resolution(7), chmod(2), chown(2), utimensat(2), xattr(7)),
/// for providers whose door did not ask the kernel. Pure functions of what they are given, but for in_group() and
/// groups_of_process().
namespace isthmus {

/// What decides about access to a file. acl: its access ACL when it has one that says more than mode, else null.
struct Guard {
  uint32_t mode = 0;  ///< type and permission bits
  uint32_t uid = 0, gid = 0;
  const PosixAcl* acl = nullptr;
};

enum Want : uint32_t { kWantExecute = 1, kWantWrite = 2, kWantRead = 4 };

/// No checks apply: the door's kernel made them, nobody is known to ask, or uid 0 asks.
inline bool is_privileged(const Credentials& c) { return !c.known || c.uid == 0; }
inline bool skips_checks(const Context& ctx) { return ctx.access_checked || !ctx.cred.known; }

/// Is gid the caller's group or one of the others? Where the door could not send them all (groups_known is false),
/// reads /proc/PID/status of the caller.
bool in_group(const Credentials& c, uint32_t gid);

/// The supplementary groups of a process or thread, from /proc. ESRCH: it is gone; EIO: /proc does not say.
Result<std::vector<uint32_t>> groups_of_process(uint32_t pid);

/// EACCES unless `c` may do all of `want` (Want bits). uid 0 may read and write everything, search every directory, and
/// execute what anybody may execute.
Status may_access(const Credentials& c, const Guard& g, uint32_t want);
/// EACCES, or EPERM for a sticky directory: may the entry of a file owned by victim_uid leave this directory?
Status may_remove(const Credentials& c, const Guard& dir, uint32_t victim_uid);
/// EPERM unless the owner or uid 0.
Status may_chmod(const Credentials& c, const Guard& g);
/// EPERM unless uid 0, or the owner who gives the file to a group of theirs (to: nothing means unchanged).
Status may_chown(const Credentials& c, const Guard& g, std::optional<uint32_t> to_uid, std::optional<uint32_t> to_gid);
/// Times to a given value: owner (EPERM). Both to now: the owner or who may write (EACCES).
Status may_set_times(const Credentials& c, const Guard& g, bool only_now);
/// By name space: user.* as the file's data (and only on regular files and directories, EPERM), trusted.* for uid 0
/// only (reading: ENODATA), security.* written by uid 0, ACLs written by the owner. EOPNOTSUPP for other names.
Status may_read_xattr(const Credentials& c, const Guard& g, std::string_view name);
Status may_write_xattr(const Credentials& c, const Guard& g, std::string_view name);
/// The part of the above that does not depend on who asks: EOPNOTSUPP, EINVAL for an empty name after the dot, EPERM.
Status check_xattr_name(uint32_t mode, std::string_view name, bool write);

/// The mode after write(2), truncate(2), chown(2) by one without CAP_FSETID, before it belongs to somebody else: setuid
/// goes, and setgid where the group may execute or the caller is neither of the group nor uid 0 (the latter matters for
/// chown, which Linux lets nobody keep setuid over).
uint32_t without_suidgid(const Credentials& c, uint32_t mode, uint32_t gid);
/// Setgid does not survive in `mode` when set by one who is not of the file's group (chmod(2)); not for directories'
/// inheritance.
uint32_t strip_sgid(const Credentials& c, uint32_t mode, uint32_t gid);

}  // namespace isthmus
