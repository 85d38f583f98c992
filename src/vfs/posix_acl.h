#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus {

struct Credentials;

/// The names of the extended attributes that carry POSIX ACLs.
constexpr std::string_view kAccessAclName = "system.posix_acl_access";
constexpr std::string_view kDefaultAclName = "system.posix_acl_default";

/// A POSIX.1e draft 17 access control list (acl(5)) in the byte form of Linux's extended attributes: a 32-bit version
/// 2, then entries of 16-bit tag, 16-bit permissions and 32-bit id, little-endian. Pure values; any thread.
class PosixAcl {
 public:
  enum Tag : uint16_t {
    kUserObj = 0x01,
    kUser = 0x02,
    kGroupObj = 0x04,
    kGroup = 0x08,
    kMask = 0x10,
    kOther = 0x20,
  };
  /// id matters only for kUser and kGroup. perm: 4 read, 2 write, 1 execute.
  struct Entry {
    Tag tag = kUserObj;
    uint16_t perm = 0;
    uint32_t id = UINT32_MAX;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  /// What one attribute may hold: 64 KiB.
  static constexpr size_t kMaxEntries = (65536 - 4) / 8;

  /// The three entries that say the same as the permission bits of `mode`.
  static PosixAcl from_mode(uint32_t mode);
  /// The bytes of an attribute, checked: EINVAL when they are no valid list, EOPNOTSUPP for another version. No entries
  /// at all give an empty list, which stands for "remove it".
  static Result<PosixAcl> parse(Bytes bytes);
  /// Entries in any order, put into the order of the attribute. EINVAL when they are no valid list.
  static Result<PosixAcl> of(std::vector<Entry> entries);
  std::string serialise() const;

  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }

  /// The permission bits (0777) that stat shows for this access ACL: the mask stands in for the group.
  uint32_t mode() const;
  /// True when the list says no more than mode() does, and so need not be kept.
  bool is_minimal() const { return entries_.size() == 3; }
  /// chmod(2): user, other and mask (or group, when there is no mask) take the bits of `mode`.
  void chmod(uint32_t mode);

  /// May `cred` do all of `want` (4 read, 2 write, 1 execute) to a file of `uid` and `gid`? acl(5), "ACCESS CHECK
  /// ALGORITHM", without any privilege of uid 0.
  bool permits(const Credentials& cred, uint32_t uid, uint32_t gid, uint32_t want) const;

  friend bool operator==(const PosixAcl&, const PosixAcl&) = default;

 private:
  bool valid() const;
  Entry* find(Tag tag);
  const Entry* find(Tag tag) const;
  std::vector<Entry> entries_;  // by tag, users and groups by id
};

/// What a new file gets in a directory with a default ACL.
struct Inherited {
  uint32_t mode = 0;               ///< type and bits asked for, less those the default ACL does not give
  std::optional<PosixAcl> access;  ///< only when it says more than mode
  std::optional<PosixAcl> dflt;    ///< directories: the default ACL again
};
/// acl(5), "OBJECT CREATION AND DEFAULT ACLs". `mode` is the one asked for, without the umask, which does not apply
/// here.
Inherited inherit_acl(const PosixAcl& dflt, uint32_t mode);

}  // namespace isthmus
