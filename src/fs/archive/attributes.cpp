#include "fs/archive/attributes.h"

#include <archive.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "vfs/posix_acl.h"

namespace isthmus::fs::archive {
namespace {

constexpr int kMostAclEntries = 1024;
constexpr size_t kMostXattrs = 1024, kMostXattrBytes = 65536;

std::optional<PosixAcl::Tag> acl_tag(int tag) {
  switch (tag) {
    case ARCHIVE_ENTRY_ACL_USER_OBJ:
      return PosixAcl::kUserObj;
    case ARCHIVE_ENTRY_ACL_USER:
      return PosixAcl::kUser;
    case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
      return PosixAcl::kGroupObj;
    case ARCHIVE_ENTRY_ACL_GROUP:
      return PosixAcl::kGroup;
    case ARCHIVE_ENTRY_ACL_MASK:
      return PosixAcl::kMask;
    case ARCHIVE_ENTRY_ACL_OTHER:
      return PosixAcl::kOther;
    default:
      return {};
  }
}

std::vector<Xattr> read_xattrs(struct archive_entry* e, Index& index) {
  std::vector<Xattr> all;
  size_t bytes = 0;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  archive_entry_xattr_reset(e);
  while (all.size() < kMostXattrs && archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
    std::string_view n(name ? name : "");
    // Names that listxattr(2) could not carry; ACLs come from the ACL fields.
    if (n.empty() || n.size() > 255 || n.starts_with("system.") || size > kMostXattrBytes) continue;
    std::string v(static_cast<const char*>(value), value ? size : 0);
    // Some writers say each one twice, in two dialects.
    auto same = std::find_if(all.begin(), all.end(), [&](auto& x) { return x.name == n; });
    if (same != all.end()) {
      same->value = std::move(v);
      continue;
    }
    bytes += n.size() + 1;
    if (bytes > kMostXattrBytes) break;
    all.push_back({std::string(n), std::move(v)});
  }
  for (bool access : {true, false}) {
    std::string acl = posix_acl(e, access);
    if (acl.empty()) continue;
    index.has_acl = true;
    all.push_back({std::string(access ? kAccessAclName : kDefaultAclName), std::move(acl)});
  }
  return all;
}

std::vector<Extent> read_sparse(struct archive_entry* e, uint64_t size) {
  std::vector<Extent> map;
  int count = archive_entry_sparse_reset(e);
  la_int64_t offset = 0, length = 0;
  while (count-- > 0 && archive_entry_sparse_next(e, &offset, &length) == ARCHIVE_OK) {
    if (offset < 0 || length < 0 || static_cast<uint64_t>(offset) > size) continue;
    uint64_t n = std::min(static_cast<uint64_t>(length), size - static_cast<uint64_t>(offset));
    if (n) map.push_back({static_cast<uint64_t>(offset), n});
  }
  std::sort(map.begin(), map.end(), [](auto& a, auto& b) { return a.offset < b.offset; });
  return map;
}

uint32_t nsec(long n) { return n < 0 || n > 999'999'999 ? 0 : static_cast<uint32_t>(n); }
uint32_t id(la_int64_t n) { return n < 0 || n > UINT32_MAX - 1 ? 65534 : static_cast<uint32_t>(n); }

}  // namespace

std::string posix_acl(struct archive_entry* e, bool access) {
  int kind = access ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS : ARCHIVE_ENTRY_ACL_TYPE_DEFAULT;
  if (!(archive_entry_acl_types(e) & kind)) return {};
  std::vector<PosixAcl::Entry> entries;
  int count = archive_entry_acl_reset(e, kind), type = 0, permissions = 0, tag = 0, qualifier = 0;
  if (count <= 0 || count > kMostAclEntries) return {};
  const char* name = nullptr;
  while (archive_entry_acl_next(e, kind, &type, &permissions, &tag, &qualifier, &name) == ARCHIVE_OK) {
    auto t = acl_tag(tag);
    if (!t) return {};
    bool has_id = *t == PosixAcl::kUser || *t == PosixAcl::kGroup;
    entries.push_back(
        {*t, static_cast<uint16_t>(permissions & 7), has_id ? static_cast<uint32_t>(qualifier) : UINT32_MAX});
  }
  auto acl = PosixAcl::of(std::move(entries));
  if (!acl || (access && acl->is_minimal())) return {};  // not a list; or one that says no more than the mode
  return acl->serialise();
}

bool read_attributes(struct archive_entry* e, Index& index, Node& n) {
  n.mode = static_cast<uint16_t>((n.mode & S_IFMT) | (archive_entry_perm(e) & 07777));
  n.uid = id(archive_entry_uid(e));
  n.gid = id(archive_entry_gid(e));
  if (archive_entry_mtime_is_set(e)) {
    n.mtime_sec = archive_entry_mtime(e);
    n.mtime_nsec = nsec(archive_entry_mtime_nsec(e));
  }
  Extra x;
  bool wanted = false;
  if (archive_entry_atime_is_set(e)) {
    x.has_atime = wanted = true;
    x.atime_sec = archive_entry_atime(e);
    x.atime_nsec = nsec(archive_entry_atime_nsec(e));
  }
  if (archive_entry_ctime_is_set(e)) {
    x.has_ctime = wanted = true;
    x.ctime_sec = archive_entry_ctime(e);
    x.ctime_nsec = nsec(archive_entry_ctime_nsec(e));
  }
  if (archive_entry_birthtime_is_set(e)) {
    x.has_btime = wanted = true;
    x.btime_sec = archive_entry_birthtime(e);
    x.btime_nsec = nsec(archive_entry_birthtime_nsec(e));
  }
  if (S_ISBLK(n.mode) || S_ISCHR(n.mode)) {
    x.rdev = archive_entry_rdev(e);
    wanted = true;
  }
  if (S_ISLNK(n.mode)) {
    const char* t = archive_entry_symlink(e);
    if (!t) t = archive_entry_symlink_utf8(e);
    std::string_view target(t ? t : "");
    if (target.empty() || target.size() > 4095) return false;
    n.mode = S_IFLNK | 0777;
    n.size = target.size();
    x.target = index.arena.get(index.arena.put(target), target.size());
    wanted = true;
  }
  if (archive_entry_xattr_count(e) > 0 || archive_entry_acl_types(e) != 0)
    if (auto all = read_xattrs(e, index); !all.empty()) {
      x.xattrs = index.add_xattrs(std::move(all));
      wanted = true;
    }
  if (S_ISREG(n.mode) && archive_entry_sparse_count(e) > 0) {
    x.sparse = index.add_sparse(read_sparse(e, n.size));
    wanted = true;
  }
  if (wanted) n.extra = index.add_extra(x);
  return true;
}

}  // namespace isthmus::fs::archive
