#pragma once
#include "vfs/volume/core.h"

namespace isthmus::volume {

/// Answers a ReadDir of an open directory from the listing that is kept of it, as far as the sink takes names; each
/// attribute that the cache knows comes along. False: the provider is to be asked.
bool list_from_cache(Core& core, OpenFile& dir, const op::ReadDir& a);
/// A name that the provider has told behind the cookie `behind`.
void note_listed(Core& core, OpenFile& dir, uint64_t behind, const DirEntry& e);
/// The provider has told that there is none behind the cookie.
void note_end(Core& core, OpenFile& dir, uint64_t behind);

}  // namespace isthmus::volume
