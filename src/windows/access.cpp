#include "windows/access.h"

#include <algorithm>

namespace isthmus::windows {
namespace {

constexpr Sid kOwnerRights{3, {4}};

bool is_of_rights(const Ace& ace) { return ace.type == Ace::kAllow || ace.type == Ace::kDeny; }

}  // namespace

uint32_t allowed_rights(const SecurityDescriptor& d, std::span<const Sid> who, bool is_owner) {
  if (!d.dacl) return kAllRights;
  uint32_t allowed = 0, denied = 0;
  bool of_owner = false;
  for (const Ace& ace : *d.dacl) {
    if (!is_of_rights(ace) || (ace.flags & Ace::kInheritOnly)) continue;
    const bool owners = ace.sid == kOwnerRights;
    of_owner |= owners;
    if (owners ? !is_owner : std::find(who.begin(), who.end(), ace.sid) == who.end()) continue;
    const uint32_t mask = expand_generic(ace.mask);
    if (ace.type == Ace::kAllow)
      allowed |= mask & ~denied;
    else
      denied |= mask & ~allowed;
  }
  if (is_owner && !of_owner) allowed |= kReadControl | kWriteDac;
  return allowed & kAllRights;
}

std::optional<SecurityDescriptor> inherited(const SecurityDescriptor& folder, bool directory, const Sid& owner,
                                            const Sid& group) {
  if (!folder.dacl) return {};
  const uint8_t mark = folder.dacl_auto_inherited ? Ace::kInherited : uint8_t{0};
  std::vector<Ace> list;
  for (const Ace& ace : *folder.dacl) {
    if (!is_of_rights(ace)) continue;
    const uint8_t goes_on = ace.flags & (Ace::kObjectInherit | Ace::kContainerInherit);
    const bool once = ace.flags & Ace::kNoPropagate;
    const bool creators = ace.sid == kCreatorOwner || ace.sid == kCreatorGroup;
    Ace own = ace;
    own.mask = expand_generic(ace.mask);
    own.flags = mark;
    if (creators) own.sid = ace.sid == kCreatorOwner ? owner : group;
    Ace later = ace;
    later.flags = static_cast<uint8_t>(goes_on | Ace::kInheritOnly | mark);
    if (!directory) {
      if (goes_on & Ace::kObjectInherit) list.push_back(own);
    } else if (goes_on & Ace::kContainerInherit) {
      const bool same = own.sid == ace.sid && own.mask == ace.mask;
      if (!once && same) own.flags |= goes_on;
      list.push_back(own);
      if (!once && !same) list.push_back(later);
    } else if (goes_on && !once) {
      list.push_back(later);
    }
  }
  if (list.empty()) return {};
  SecurityDescriptor d;
  d.has_dacl = true;
  d.dacl = std::move(list);
  d.dacl_auto_inherited = folder.dacl_auto_inherited;
  return d;
}

}  // namespace isthmus::windows
