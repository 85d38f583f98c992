#pragma once
#include <cstdint>

#include "doors/smb/open.h"

namespace isthmus::smb {

/// Whether a lock of another open stands in the way of reading or writing these bytes: locks of SMB are not advice.
bool is_locked(const Open& open, uint64_t offset, uint64_t length, bool write);
/// Gives a lock back to the volume. It has left OpenedFile::locks.
void unlock_range(Server& server, const Open& open, const RangeLock& lock);

}  // namespace isthmus::smb
