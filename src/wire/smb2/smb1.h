#pragma once
#include <optional>

#include "base/bytes.h"
#include "wire/smb2/codes.h"

namespace isthmus::smb2 {

/// An SMB_COM_NEGOTIATE of SMB 1 (MS-CIFS section 2.2.4.52.1) with which Windows and macOS open a connection. What to
/// answer with an SMB 2 NEGOTIATE response (sections 3.3.5.3.1 and 3.3.5.3.2): Dialect::any if it offers "SMB 2.???",
/// else Dialect::smb202 if it offers "SMB 2.002". None: malformed, another command, or it offers neither.
std::optional<Dialect> read_smb1_negotiate(Bytes frame);

}  // namespace isthmus::smb2
