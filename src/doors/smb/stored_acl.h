#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vfs/types.h"
#include "windows/security.h"

namespace isthmus::smb {

class Request;

/// An access list that no mode can say, as a client has set it or a file has inherited it: the mode comes nearest, and
/// the list holds for as long as mode and owners stay what they were. An xattr: 'A', mode, uid and gid (LE, 32 bits
/// each), the security descriptor.
constexpr std::string_view kAclXattr = "user.isthmus.acl";

/// None: the mode is all there is.
std::optional<windows::SecurityDescriptor> stored_acl(Request& r, NodeId node, const Attr& attr);
/// Of a file whose attributes are not known: they are asked for if there is a list.
struct StoredAcl {
  windows::SecurityDescriptor list;
  Attr attr;
};
std::optional<StoredAcl> stored_acl(Request& r, NodeId node);
/// `attr`: as it is now. A list that is the mode's own is not kept; without xattrs none is.
/// `attributes`: those that the file had, which its mode must not change.
Status store_acl(Request& r, NodeId node, const Attr& attr, const windows::SecurityDescriptor& acl,
                 uint32_t attributes);
/// Gives a new file its list, and the mode that comes nearest.
void give_acl(Request& r, NodeId node, Attr& attr, const windows::SecurityDescriptor& acl);
/// What a list allows the server's user (windows::Rights).
uint32_t rights_by(Request& r, const windows::SecurityDescriptor& acl, const Attr& attr);

}  // namespace isthmus::smb
