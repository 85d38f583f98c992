#pragma once
#include <optional>

#include "wire/smb2/classes.h"
#include "wire/smb2/file_facts.h"

/// Answers to QUERY_INFO about files (MS-FSCC section 2.4).
namespace isthmus::smb2 {

/// The whole answer. None: no class that can be asked (invalid_info_class). Lists of attributes and streams may be
/// empty.
std::optional<std::string> write_file_info(FileInfoClass what, const FileFacts& facts);

/// A client with less room is refused by info_length_mismatch. One with less room than the answer needs gets its
/// beginning with buffer_overflow (section 3.3.5.20.1). 0: no class that can be asked.
size_t minimum_size(FileInfoClass what);

}  // namespace isthmus::smb2
