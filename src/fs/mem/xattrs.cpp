#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "fs/mem/mem_fs.h"

/// Extended attributes and POSIX ACLs.
namespace isthmus::fs::mem {
namespace {

constexpr size_t kNameMax = 255, kValueMax = 65536, kListMax = 65536;

bool is_acl(std::string_view name) { return name == kAccessAclName || name == kDefaultAclName; }
const PosixAcl* acl_of(const Inode& n, std::string_view name) {
  if (!n.extras) return nullptr;
  return name == kAccessAclName ? n.extras->access.get() : n.extras->dflt.get();
}
uint64_t charge(std::string_view name, size_t value) { return name.size() + value; }

}  // namespace

Result<std::string> MemFs::get_xattr(const Context& ctx, const op::GetXattr& a) {
  auto found = find(a.node, Op::GetXattr);
  if (!found) return found.error();
  const Inode& n = **found;
  if (a.name.size() > kNameMax) return err(ERANGE);
  Shared lock(n.m);
  auto s = skips_checks(ctx) ? check_xattr_name(n.mode, a.name, false) : may_read_xattr(ctx.cred, guard_of(n), a.name);
  if (!s) return s.error();
  if (!n.extras) return err(ENODATA);
  if (is_acl(a.name)) {
    const PosixAcl* acl = acl_of(n, a.name);
    if (!acl) return err(ENODATA);
    return acl->serialise();
  }
  auto it = n.extras->xattrs.find(a.name);
  if (it == n.extras->xattrs.end()) return err(ENODATA);
  return it->second;
}

Result<Unit> MemFs::set_xattr(const Context& ctx, const op::SetXattr& a) {
  auto found = find(a.node, Op::SetXattr);
  if (!found) return found.error();
  Inode& n = **found;
  if (a.flags & ~(XATTR_CREATE | XATTR_REPLACE)) return err(EINVAL);
  if (a.name.size() > kNameMax) return err(ERANGE);
  if (a.value.size() > kValueMax) return err(E2BIG);
  {
    Unique lock(n.m);
    if (auto s = may_change(n); !s) return s;
    auto s =
        skips_checks(ctx) ? check_xattr_name(n.mode, a.name, true) : may_write_xattr(ctx.cred, guard_of(n), a.name);
    // Removing the default ACL that a file cannot have is no error.
    if (!s) return s.code() == EACCES && a.value.empty() && a.name == kDefaultAclName ? Status(Unit{}) : s;
    if (is_acl(a.name))
      s = set_acl_locked(ctx, n, a.name, a.value, a.kill_sgid);
    else
      s = set_plain_xattr(n, a.name, a.value, a.flags);
    if (!s) return s;
    n.ctime = now();
  }
  if (watching()) notify_node(n, kWatchXattr);
  return Unit{};
}

/// An access ACL also is the mode; one that says no more than the mode is not kept.
Status MemFs::set_acl_locked(const Context& ctx, Inode& n, std::string_view name, Bytes value, bool kill_sgid) {
  PosixAcl acl;
  if (!value.empty()) {
    auto parsed = PosixAcl::parse(value);
    if (!parsed) return parsed.error();
    acl = std::move(*parsed);
  }
  if (name == kDefaultAclName) {
    n.make_extras().dflt = acl.empty() ? nullptr : std::make_unique<PosixAcl>(std::move(acl));
    return Unit{};
  }
  if (acl.empty()) {
    if (n.extras) n.extras->access.reset();
    return Unit{};
  }
  n.mode = (n.mode & ~0777u) | acl.mode();
  if (kill_sgid) n.mode &= ~static_cast<uint32_t>(S_ISGID);
  if (!skips_checks(ctx)) n.mode = strip_sgid(ctx.cred, n.mode, n.gid);
  n.make_extras().access = acl.is_minimal() ? nullptr : std::make_unique<PosixAcl>(std::move(acl));
  return Unit{};
}

Status MemFs::set_plain_xattr(Inode& n, std::string_view name, Bytes value, int flags) {
  Extras& x = n.make_extras();
  auto it = x.xattrs.find(name);
  bool exists = it != x.xattrs.end();
  if (exists && (flags & XATTR_CREATE)) return err(EEXIST);
  if (!exists && (flags & XATTR_REPLACE)) return err(ENODATA);
  uint64_t old = exists ? charge(name, it->second.size()) : 0, now = charge(name, value.size());
  if (!exists) {
    size_t list = name.size() + 1 + kAccessAclName.size() + kDefaultAclName.size() + 2;
    for (auto& [key, v] : x.xattrs) list += key.size() + 1;
    if (list > kListMax) return err(ENOSPC);  // listxattr(2) could not show it
  }
  if (now > old)
    if (auto s = space_.take(n.uid, now - old); !s) return s;
  std::string text(as_text(value));
  if (exists)
    it->second = std::move(text);
  else
    x.xattrs.emplace(std::string(name), std::move(text));
  if (old > now) space_.give(n.uid, old - now);
  x.charged = x.charged + now - old;
  return Unit{};
}

void MemFs::remove_plain_xattr(Inode& n, std::string_view name) {
  if (!n.extras) return;
  auto it = n.extras->xattrs.find(name);
  if (it == n.extras->xattrs.end()) return;
  uint64_t bytes = charge(name, it->second.size());
  n.extras->xattrs.erase(it);
  n.extras->charged -= bytes;
  space_.give(n.uid, bytes);
}

Result<std::vector<std::string>> MemFs::list_xattr(const Context& ctx, const op::ListXattr& a) {
  auto found = find(a.node, Op::ListXattr);
  if (!found) return found.error();
  const Inode& n = **found;
  std::vector<std::string> names;
  Shared lock(n.m);
  if (!n.extras) return names;
  if (n.extras->access) names.emplace_back(kAccessAclName);
  if (n.extras->dflt) names.emplace_back(kDefaultAclName);
  bool trusted = skips_checks(ctx) ? !ctx.cred.known || ctx.cred.uid == 0 : is_privileged(ctx.cred);
  for (auto& [key, value] : n.extras->xattrs)
    if (trusted || !key.starts_with("trusted.")) names.push_back(key);
  return names;
}

Result<Unit> MemFs::remove_xattr(const Context& ctx, const op::RemoveXattr& a) {
  auto found = find(a.node, Op::RemoveXattr);
  if (!found) return found.error();
  Inode& n = **found;
  if (a.name.size() > kNameMax) return err(ERANGE);
  {
    Unique lock(n.m);
    if (auto s = may_change(n); !s) return s;
    auto s =
        skips_checks(ctx) ? check_xattr_name(n.mode, a.name, true) : may_write_xattr(ctx.cred, guard_of(n), a.name);
    if (!s) return s;
    if (is_acl(a.name)) {
      if (acl_of(n, a.name)) (a.name == kAccessAclName ? n.extras->access : n.extras->dflt).reset();
    } else {
      if (!n.extras || !n.extras->xattrs.contains(a.name)) return err(ENODATA);
      remove_plain_xattr(n, a.name);
    }
    n.ctime = now();
  }
  if (watching()) notify_node(n, kWatchXattr);
  return Unit{};
}

}  // namespace isthmus::fs::mem
