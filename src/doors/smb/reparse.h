#pragma once
#include "base/bytes.h"
#include "wire/smb2/status.h"

namespace isthmus::smb {

class Request;

/// Makes a symlink, device, fifo or socket of the new file, or the new directory, that is open: puts that in its place,
/// and goes on with an open of it (FSCTL_SET_REPARSE_POINT, MS-FSA section 2.1.5.9.37).
smb2::NtStatus set_reparse_point(Request& r, Bytes buffer);

}  // namespace isthmus::smb
