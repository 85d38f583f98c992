#pragma once
#include "base/result.h"
#include "wire/smb2/status.h"

namespace isthmus::smb {

/// What a client hears of an error of the file system (MS-ERREF section 2.3).
smb2::NtStatus status_of(Errno e);

}  // namespace isthmus::smb
