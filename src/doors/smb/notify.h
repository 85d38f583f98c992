#pragma once
#include "doors/smb/open.h"
#include "wire/smb2/status.h"

namespace isthmus::smb {

/// The watch of an open ends; who waits for news is answered by `status`.
void end_notify(Open& open, smb2::NtStatus status);
/// The same for all opens of a directory that is to be deleted.
void end_notifies(Server& server, const OpenedFile& file);

}  // namespace isthmus::smb
