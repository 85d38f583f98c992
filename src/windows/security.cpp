#include "windows/security.h"

#include <sys/stat.h>

#include <array>

#include "base/endian.h"

namespace isthmus::windows {
namespace {

constexpr uint8_t kDescriptorRevision = 1, kListRevision = 2, kListRevisionOfObjects = 4;
constexpr size_t kHeadSize = 20, kListHead = 8, kAceHead = 4, kMostAces = 1024;

constexpr uint32_t kBase = kSynchronize | kReadControl | kReadAttributes | kReadEa;
constexpr uint32_t kOwnerBase = kBase | kDelete | kWriteDac | kWriteOwner | kWriteAttributes | kWriteEa;
constexpr uint32_t kRead = S_IROTH, kWrite = S_IWOTH, kRun = S_IXOTH;

/// Of three permission bits.
uint32_t rights_of(uint32_t bits, bool deletes_children) {
  uint32_t mask = 0;
  if (bits & kRead) mask |= kReadData;
  if (bits & kWrite)
    mask |= kWriteData | kAppendData | kWriteAttributes | (deletes_children ? uint32_t{kDeleteChild} : 0);
  if (bits & kRun) mask |= kExecute;
  return mask;
}

std::optional<Ace> read_ace(Bytes from) {
  auto type = load_le<uint8_t>(from, 0), flags = load_le<uint8_t>(from, 1);
  Ace ace;
  ace.type = *type;
  ace.flags = *flags;
  if (ace.type != Ace::kAllow && ace.type != Ace::kDeny) {
    ace.other = as_text(from.subspan(kAceHead));
    return ace;
  }
  auto mask = load_le<uint32_t>(from, kAceHead);
  auto sid = mask ? read_sid(from.subspan(kAceHead + 4)) : std::nullopt;
  if (!sid) return std::nullopt;
  ace.mask = *mask;
  ace.sid = *sid;
  return ace;
}

std::optional<std::vector<Ace>> read_list(Bytes from) {
  auto revision = load_le<uint8_t>(from, 0);
  auto size = load_le<uint16_t>(from, 2), count = load_le<uint16_t>(from, 4);
  if (!load_le<uint16_t>(from, 6) || *size < kListHead || *size > from.size() || *count > kMostAces)
    return std::nullopt;
  if (*revision != kListRevision && *revision != kListRevisionOfObjects) return std::nullopt;
  from = from.subspan(kListHead, *size - kListHead);
  std::vector<Ace> list;
  for (unsigned i = 0; i < *count; i++) {
    auto ace_size = load_le<uint16_t>(from, 2);
    if (!ace_size || *ace_size < kAceHead || *ace_size > from.size()) return std::nullopt;
    auto ace = read_ace(from.first(*ace_size));
    if (!ace) return std::nullopt;
    list.push_back(std::move(*ace));
    from = from.subspan(*ace_size);
  }
  return list;
}

void append_list(std::string& to, const std::vector<Ace>& list) {
  std::string aces;
  bool objects = false;
  for (const Ace& ace : list) {
    const bool simple = ace.type == Ace::kAllow || ace.type == Ace::kDeny;
    objects |= !simple;
    append_le<uint8_t>(aces, ace.type);
    append_le<uint8_t>(aces, ace.flags);
    append_le<uint16_t>(aces, static_cast<uint16_t>(kAceHead + (simple ? 4 + sid_size(ace.sid) : ace.other.size())));
    if (simple) {
      append_le<uint32_t>(aces, ace.mask);
      append_sid(aces, ace.sid);
    } else {
      aces += ace.other;
    }
  }
  append_le<uint8_t>(to, objects ? kListRevisionOfObjects : kListRevision);
  append_le<uint8_t>(to, 0);
  append_le<uint16_t>(to, static_cast<uint16_t>(kListHead + aces.size()));
  append_le<uint16_t>(to, static_cast<uint16_t>(list.size()));
  append_le<uint16_t>(to, 0);
  to += aces;
}

/// Rights of one class (owner, group, other), as an access check walks the list.
struct Class {
  uint32_t allowed = 0, denied = 0;
  void take(const Ace& ace) {
    const uint32_t mask = expand_generic(ace.mask);
    if (ace.type == Ace::kAllow)
      allowed |= mask & ~denied;
    else
      denied |= mask & ~allowed;
  }
  uint32_t bits() const {
    uint32_t b = 0;
    if (allowed & kReadData) b |= kRead;
    if ((allowed & (kWriteData | kAppendData)) == (kWriteData | kAppendData)) b |= kWrite;
    if (allowed & kExecute) b |= kRun;
    return b;
  }
};

}  // namespace

uint32_t expand_generic(uint32_t mask) {
  constexpr uint32_t kReads = kSynchronize | kReadControl | kReadAttributes | kReadEa | kReadData;
  constexpr uint32_t kWrites = kSynchronize | kReadControl | kWriteAttributes | kWriteEa | kAppendData | kWriteData;
  constexpr uint32_t kRuns = kSynchronize | kReadControl | kReadAttributes | kExecute;
  if (mask & kGenericRead) mask |= kReads;
  if (mask & kGenericWrite) mask |= kWrites;
  if (mask & kGenericExecute) mask |= kRuns;
  if (mask & kGenericAll) mask |= kAllRights;
  return mask & ~uint32_t{kGenericRead | kGenericWrite | kGenericExecute | kGenericAll};
}

std::optional<SecurityDescriptor> read_security(Bytes from) {
  auto revision = load_le<uint8_t>(from, 0);
  auto control = load_le<uint16_t>(from, 2);
  auto owner = load_le<uint32_t>(from, 4), group = load_le<uint32_t>(from, 8), dacl = load_le<uint32_t>(from, 16);
  if (!dacl || *revision != kDescriptorRevision || !(*control & SecurityDescriptor::kSelfRelative)) return std::nullopt;
  auto at = [from](uint32_t offset) { return offset < from.size() ? from.subspan(offset) : Bytes(); };
  SecurityDescriptor d;
  if (*owner != 0) {
    d.owner = read_sid(at(*owner));
    if (!d.owner) return std::nullopt;
  }
  if (*group != 0) {
    d.group = read_sid(at(*group));
    if (!d.group) return std::nullopt;
  }
  if (*control & SecurityDescriptor::kDaclPresent) {
    d.has_dacl = true;
    d.dacl_protected = *control & SecurityDescriptor::kDaclProtected;
    d.dacl_auto_inherited = *control & SecurityDescriptor::kDaclAutoInherited;
    d.dacl_auto_inherit_request = *control & SecurityDescriptor::kDaclAutoInheritRequest;
    if (*dacl != 0) {
      d.dacl = read_list(at(*dacl));
      if (!d.dacl) return std::nullopt;
    }
  }
  return d;
}

std::string to_bytes(const SecurityDescriptor& d) {
  std::string parts;
  auto place = [&parts] { return static_cast<uint32_t>(kHeadSize + parts.size()); };
  uint32_t owner = 0, group = 0, dacl = 0;
  if (d.owner) {
    owner = place();
    append_sid(parts, *d.owner);
  }
  if (d.group) {
    group = place();
    append_sid(parts, *d.group);
  }
  if (d.has_dacl && d.dacl) {
    dacl = place();
    append_list(parts, *d.dacl);
  }
  uint16_t control = SecurityDescriptor::kSelfRelative;
  if (d.has_dacl) control |= SecurityDescriptor::kDaclPresent;
  if (d.has_dacl && d.dacl_protected) control |= SecurityDescriptor::kDaclProtected;
  if (d.has_dacl && d.dacl_auto_inherited) control |= SecurityDescriptor::kDaclAutoInherited;
  if (d.has_dacl && d.dacl_auto_inherit_request) control |= SecurityDescriptor::kDaclAutoInheritRequest;
  std::string out;
  append_le<uint8_t>(out, kDescriptorRevision);
  append_le<uint8_t>(out, 0);
  append_le<uint16_t>(out, control);
  append_le<uint32_t>(out, owner);
  append_le<uint32_t>(out, group);
  append_le<uint32_t>(out, 0);
  append_le<uint32_t>(out, dacl);
  return out + parts;
}

SecurityDescriptor security_of_mode(uint32_t mode, const Sid& owner, const Sid& group) {
  const bool directory = S_ISDIR(mode), sticky = mode & S_ISVTX;
  uint32_t of_owner = mode >> 6 & 7, of_group = mode >> 3 & 7;
  const uint32_t of_other = mode & 7;
  // One who is both is asked about both entries: he gets what both have.
  if (owner == group) of_owner = of_group = of_owner & of_group;
  const uint32_t owner_lacks = (of_group | of_other) & ~of_owner, group_lacks = of_other & ~of_group;

  SecurityDescriptor d;
  d.owner = owner;
  d.group = group;
  d.has_dacl = d.dacl_protected = true;
  auto& list = d.dacl.emplace();
  auto add = [&list](uint8_t type, uint32_t mask, const Sid& sid) { list.push_back({type, 0, mask, sid, {}}); };
  const bool children = directory && !sticky;
  add(Ace::kAllow, kOwnerBase | rights_of(of_owner, directory), owner);
  // Attributes are the owner's, whatever the bits say.
  if (owner_lacks) add(Ace::kDeny, rights_of(owner_lacks, children) & ~uint32_t{kWriteAttributes}, owner);
  add(Ace::kAllow, kBase | rights_of(of_group, children), group);
  if (group_lacks) add(Ace::kDeny, rights_of(group_lacks, children), group);
  add(Ace::kAllow, kBase | rights_of(of_other, children), kEveryone);
  return d;
}

uint32_t mode_of_security(const SecurityDescriptor& descriptor, bool directory, const Sid& owner, const Sid& group) {
  if (!descriptor.dacl) return 0777;
  Class of_owner, of_group, of_other;
  for (const Ace& ace : *descriptor.dacl) {
    if ((ace.type != Ace::kAllow && ace.type != Ace::kDeny) || (ace.flags & Ace::kInheritOnly)) continue;
    const bool all = ace.sid == kEveryone || ace.sid == kAuthenticatedUsers;
    if (all || ace.sid == owner || ace.sid == kCreatorOwner) of_owner.take(ace);
    if (all || ace.sid == group || ace.sid == kCreatorGroup) of_group.take(ace);
    if (all) of_other.take(ace);
  }
  uint32_t mode = of_owner.bits() << 6 | of_group.bits() << 3 | of_other.bits();
  // The owner may remove what is in the folder, and another who may write there may not.
  auto keeps = [](const Class& c) { return (c.bits() & kWrite) && !(c.allowed & kDeleteChild); };
  if (directory && (of_owner.allowed & kDeleteChild) && (keeps(of_group) || keeps(of_other))) mode |= S_ISVTX;
  return mode;
}

void write_as(const Identities& ids, std::vector<Ace>& dacl) {
  for (Ace& ace : dacl) {
    if (ace.type != Ace::kAllow && ace.type != Ace::kDeny) continue;
    const Identity who = ids.identity_of(ace.sid);
    // Windows' own names are users and groups at once, and stay.
    if (who.uid && !who.gid) ace.sid = ids.of_user(*who.uid);
    if (who.gid && !who.uid) ace.sid = ids.of_group(*who.gid);
  }
}

void append_nfs_aces(std::vector<Ace>& dacl, uint32_t mode, uint32_t uid, uint32_t gid) {
  const Identities ids(SidStyle::nfs_ids);
  for (const Sid& sid : {nfs_mode_sid(mode), ids.of_user(uid), ids.of_group(gid)})
    dacl.push_back({.type = Ace::kDeny, .flags = 0, .mask = 0, .sid = sid, .other = {}});
}

std::optional<uint32_t> nfs_mode_in(const std::vector<Ace>& dacl) {
  for (const Ace& ace : dacl) {
    if (ace.type != Ace::kAllow && ace.type != Ace::kDeny) continue;
    if (const auto mode = nfs_mode_of(ace.sid)) return mode;
  }
  return std::nullopt;
}

}  // namespace isthmus::windows
