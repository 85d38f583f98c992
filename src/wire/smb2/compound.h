#pragma once
#include <optional>
#include <string>
#include <vector>

#include "wire/smb2/file_id.h"
#include "wire/smb2/header.h"

namespace isthmus::smb2 {

/// One message of a frame. `bytes` begins at its header and ends before the next one's, padding included: what a
/// signature is over (section 3.1.4.1).
struct Pdu {
  Header header;
  Bytes bytes;
};

/// The messages of a frame, one or a compound chain (section 3.3.5.2.7). None: a header that is not SMB 2's, a
/// NextCommand that is not a multiple of 8, shorter than a header or out of the frame, or more than `most` messages.
/// The frame ends the connection then. Whether the first is marked as related is left to the caller, who must answer
/// it by invalid_parameter.
std::optional<std::vector<Pdu>> split_compound(Bytes frame, size_t most);

/// The file that a request names, which each command has at a place of its own; kNoFileId too. None: it is about no
/// file by number, or too short.
std::optional<FileId> named_file(const Pdu& pdu);

/// Makes room for another message: pads `frame` to 8 bytes behind its last message, whose header is at `last`, and
/// writes that one's NextCommand. `frame` begins with the first header.
void link_next(std::string& frame, size_t last);

}  // namespace isthmus::smb2
