#pragma once
#include <vector>

#include "base/result.h"
#include "vfs/types.h"
#include "wire/smb2/ea.h"

namespace isthmus::smb {

class Request;

/// Extended attributes of Windows are those of "user." here, but for the door's own.
Result<std::vector<smb2::Ea>> extended_attributes(Request& r, NodeId node);
/// Sets those with a value and removes the others.
Status set_extended(Request& r, NodeId node, const std::vector<smb2::Ea>& list);

/// There is no such attribute, or there are none at all.
bool is_no_xattr(Errno e);

}  // namespace isthmus::smb
