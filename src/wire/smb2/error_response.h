#pragma once
#include <optional>
#include <string>

#include "base/bytes.h"
#include "wire/smb2/codes.h"

namespace isthmus::smb2 {

/// Body of an error response (section 2.2.2): `data` as it is, or in 3.1.1 in an error context of the id 0 (section
/// 2.2.2.1). Without data it has the one zero byte that the section asks for.
std::string write_error(Dialect dialect, Bytes data = {});
/// Data of stopped_on_symlink (section 2.2.2.2.1). `reparse`: what the link says of itself (MS-FSCC section 2.1.2.4).
/// `unparsed`: bytes of the path behind the link.
std::string write_symlink_error(Bytes reparse, uint16_t unparsed = 0);
/// The data of an error response with at most one context; `message` begins at the header.
std::optional<Bytes> read_error(Bytes message);

}  // namespace isthmus::smb2
