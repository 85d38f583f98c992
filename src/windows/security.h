#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "windows/identity.h"
#include "windows/sid.h"

namespace isthmus::windows {

/// Rights on a file or folder (MS-DTYP section 2.4.3, MS-SMB2 section 2.2.13.1).
enum Rights : uint32_t {
  kReadData = 0x1,    ///< list a folder
  kWriteData = 0x2,   ///< add a file
  kAppendData = 0x4,  ///< add a folder
  kReadEa = 0x8,
  kWriteEa = 0x10,
  kExecute = 0x20,  ///< traverse a folder
  kDeleteChild = 0x40,
  kReadAttributes = 0x80,
  kWriteAttributes = 0x100,
  kDelete = 0x10000,
  kReadControl = 0x20000,
  kWriteDac = 0x40000,
  kWriteOwner = 0x80000,
  kSynchronize = 0x100000,
  kAllRights = 0x1f01ff,
  kGenericAll = 0x10000000,
  kGenericExecute = 0x20000000,
  kGenericWrite = 0x40000000,
  kGenericRead = 0x80000000,
};

/// The rights that generic ones stand for on files.
uint32_t expand_generic(uint32_t mask);

struct Ace {
  static constexpr uint8_t kAllow = 0, kDeny = 1;
  // In flags: who inherits it, and how.
  static constexpr uint8_t kObjectInherit = 0x1, kContainerInherit = 0x2, kNoPropagate = 0x4, kInherited = 0x10;
  static constexpr uint8_t kInheritOnly = 0x8;  ///< not about the object itself
  uint8_t type = kAllow, flags = 0;
  uint32_t mask = 0;
  Sid sid;            ///< of kAllow and kDeny
  std::string other;  ///< behind the header, of any other type

  bool operator==(const Ace&) const = default;
};

/// A security descriptor (MS-DTYP section 2.4.6), self-relative on the wire. Its audit list (SACL) is not kept.
struct SecurityDescriptor {
  static constexpr uint16_t kDaclPresent = 0x4, kDaclAutoInheritRequest = 0x100, kDaclAutoInherited = 0x400,
                            kDaclProtected = 0x1000, kSelfRelative = 0x8000;
  std::optional<Sid> owner, group;
  bool has_dacl = false;                   ///< the list is part of what is told or asked for
  std::optional<std::vector<Ace>> dacl;    ///< none: everybody may do everything
  bool dacl_protected = false;             ///< nothing is inherited from the folder above
  bool dacl_auto_inherited = false;        ///< what is inherited from it is marked so
  bool dacl_auto_inherit_request = false;  ///< without which a client's dacl_auto_inherited says nothing

  bool operator==(const SecurityDescriptor&) const = default;
};

/// None: lengths or offsets lead out of `from`, or a list is malformed.
std::optional<SecurityDescriptor> read_security(Bytes from);
std::string to_bytes(const SecurityDescriptor& descriptor);

/// The list of permission bits: owner, group, everyone, with refusals in between where someone has less than those
/// after him. Of mode the type counts, too: directories have kDeleteChild unless sticky.
SecurityDescriptor security_of_mode(uint32_t mode, const Sid& owner, const Sid& group);
/// Permission bits and sticky that come nearest to the list. directory: whose it is.
uint32_t mode_of_security(const SecurityDescriptor& descriptor, bool directory, const Sid& owner, const Sid& group);

/// Plain users and groups, in whatever way a client has written their numbers, as `ids` writes them.
void write_as(const Identities& ids, std::vector<Ace>& dacl);

/// Entries that deny nothing, by which macOS reads mode and owners as numbers: S-1-5-88-3-MODE, -1-UID and -2-GID.
void append_nfs_aces(std::vector<Ace>& dacl, uint32_t mode, uint32_t uid, uint32_t gid);
/// The mode that a client sets by such an entry.
std::optional<uint32_t> nfs_mode_in(const std::vector<Ace>& dacl);

}  // namespace isthmus::windows
