#pragma once
#include <isthmus/fuse3/fuse_lowlevel.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "vfs/types.h"

/// Listings as low-level programs make them: names in the kernel's own form, in memory of theirs.
namespace isthmus::libfuse {

/// fuse_add_direntry(), fuse_add_direntry_plus(). Programs that only ask how long it is give no stat or entry.
size_t add_name(char* buf, size_t size, const char* name, const struct stat* st, off_t off);
size_t add_name_plus(char* buf, size_t size, const char* name, const fuse_entry_param* e, off_t off);

/// Passes the names of such memory on. `plus`: it has entries, of which each counts as a lookup; the nodes of those
/// that had no room any more, or are not wanted (`with_attr`), are put into `dropped`. EIO where it is malformed: names
/// before that have been passed on.
Status pass_names_on(Bytes listing, bool plus, bool with_attr, DirSink& sink, std::vector<NodeId>& dropped);

/// The names in a list as listxattr(2) makes it, each with a NUL behind it.
std::vector<std::string> split_names(std::string_view list);

}  // namespace isthmus::libfuse
