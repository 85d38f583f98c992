#pragma once
#include <cstdint>

namespace isthmus::smb2 {

/// What names an open file (section 2.2.14.1).
struct FileId {
  uint64_t persistent = 0, temporary = 0;

  bool operator==(const FileId&) const = default;
};

/// Of requests: the file that the message before this one opened, if related; of IOCTLs that are about no file, none.
constexpr FileId kNoFileId{~0ull, ~0ull};

}  // namespace isthmus::smb2
