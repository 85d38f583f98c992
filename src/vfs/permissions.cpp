#include "vfs/permissions.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <string>

namespace isthmus {
namespace {

bool owns(const Credentials& c, const Guard& g) { return is_privileged(c) || c.uid == g.uid; }

bool has_prefix(std::string_view name, std::string_view prefix) { return name.starts_with(prefix); }

}  // namespace

// The "Groups:" line of proc_pid_status(5).
Result<std::vector<uint32_t>> groups_of_process(uint32_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  if (!status) return err(ESRCH);
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("Groups:")) continue;
    std::vector<uint32_t> groups;
    for (const char *p = line.data() + 7, *end = line.data() + line.size(); p < end;) {
      uint32_t g = 0;
      auto [next, error] = std::from_chars(p, end, g);
      if (error != std::errc()) {
        p++;
        continue;
      }
      groups.push_back(g);
      p = next;
    }
    return groups;
  }
  return err(EIO);
}

bool in_group(const Credentials& c, uint32_t gid) {
  if (c.gid == gid || std::find(c.groups.begin(), c.groups.end(), gid) != c.groups.end()) return true;
  if (c.groups_known || c.pid == 0) return false;
  // A process that is gone has no groups.
  auto groups = groups_of_process(c.pid);
  return groups && std::find(groups->begin(), groups->end(), gid) != groups->end();
}

Status may_access(const Credentials& c, const Guard& g, uint32_t want) {
  if (is_privileged(c)) {
    if (!(want & kWantExecute) || S_ISDIR(g.mode) || (g.mode & 0111)) return Unit{};
    return err(EACCES);
  }
  bool ok = false;
  // Linux looks at a list only where the group bits, its mask, are not all off.
  if (g.acl && (g.mode & 070) && c.uid != g.uid) {
    ok = g.acl->permits(c, g.uid, g.gid, want);
  } else {
    uint32_t bits = g.mode;
    if (c.uid == g.uid)
      bits >>= 6;
    else if (((bits >> 3 ^ bits) & want) && in_group(c, g.gid))
      bits >>= 3;
    ok = (bits & want) == want;
  }
  return ok ? Status(Unit{}) : Status(err(EACCES));
}

Status may_remove(const Credentials& c, const Guard& dir, uint32_t victim_uid) {
  if (auto s = may_access(c, dir, kWantWrite | kWantExecute); !s) return s;
  bool sticky = (dir.mode & S_ISVTX) && !is_privileged(c) && c.uid != victim_uid && c.uid != dir.uid;
  return sticky ? Status(err(EPERM)) : Status(Unit{});
}

Status may_chmod(const Credentials& c, const Guard& g) { return owns(c, g) ? Status(Unit{}) : Status(err(EPERM)); }

Status may_chown(const Credentials& c, const Guard& g, std::optional<uint32_t> to_uid, std::optional<uint32_t> to_gid) {
  if (is_privileged(c)) return Unit{};
  if (to_uid && (c.uid != g.uid || *to_uid != g.uid)) return err(EPERM);
  if (to_gid && (c.uid != g.uid || (*to_gid != g.gid && !in_group(c, *to_gid)))) return err(EPERM);
  return Unit{};
}

Status may_set_times(const Credentials& c, const Guard& g, bool only_now) {
  if (owns(c, g)) return Unit{};
  return only_now ? may_access(c, g, kWantWrite) : Status(err(EPERM));
}

Status check_xattr_name(uint32_t mode, std::string_view name, bool write) {
  if (name == kAccessAclName || name == kDefaultAclName) {
    if (S_ISLNK(mode)) return err(EOPNOTSUPP);
    return name == kDefaultAclName && !S_ISDIR(mode) ? Status(err(write ? EACCES : ENODATA)) : Status(Unit{});
  }
  for (std::string_view prefix : {"user.", "trusted.", "security."}) {
    if (!has_prefix(name, prefix)) continue;
    if (name.size() == prefix.size()) return err(EINVAL);
    if (prefix == "user." && !S_ISREG(mode) && !S_ISDIR(mode)) return err(write ? EPERM : ENODATA);
    return Unit{};
  }
  return err(EOPNOTSUPP);
}

Status may_read_xattr(const Credentials& c, const Guard& g, std::string_view name) {
  if (auto s = check_xattr_name(g.mode, name, false); !s) return s;
  if (has_prefix(name, "trusted.") && !is_privileged(c)) return err(ENODATA);
  return has_prefix(name, "user.") ? may_access(c, g, kWantRead) : Status(Unit{});
}

Status may_write_xattr(const Credentials& c, const Guard& g, std::string_view name) {
  if (auto s = check_xattr_name(g.mode, name, true); !s) return s;
  if (has_prefix(name, "system.")) return may_chmod(c, g);
  if (!has_prefix(name, "user.")) return is_privileged(c) ? Status(Unit{}) : Status(err(EPERM));
  // In a sticky directory others may make files, but the directory's own attributes are its owner's.
  if (S_ISDIR(g.mode) && (g.mode & S_ISVTX) && !owns(c, g)) return err(EPERM);
  return may_access(c, g, kWantWrite);
}

uint32_t without_suidgid(const Credentials& c, uint32_t mode, uint32_t gid) {
  mode &= ~static_cast<uint32_t>(S_ISUID);
  if (mode & S_IXGRP) mode &= ~static_cast<uint32_t>(S_ISGID);
  return strip_sgid(c, mode, gid);
}

uint32_t strip_sgid(const Credentials& c, uint32_t mode, uint32_t gid) {
  if (!(mode & S_ISGID) || is_privileged(c) || in_group(c, gid)) return mode;
  return mode & ~static_cast<uint32_t>(S_ISGID);
}

}  // namespace isthmus
