#pragma once
#include <archive_entry.h>

#include <string>

#include "fs/archive/index.h"

namespace isthmus::fs::archive {

/// Fills in what an entry says of a file besides its name and data: mode, ids, times, device, link target, extended
/// attributes, ACLs, sparse map. Adds to the index's side tables. False: `target` of a symlink that no file can have.
bool read_attributes(struct archive_entry* e, Index& index, Node& n);

/// The system.posix_acl_access (or _default) form of an entry's ACL; "" when it has none.
std::string posix_acl(struct archive_entry* e, bool access);

}  // namespace isthmus::fs::archive
