#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace isthmus::windows {

/// Kinds of reparse points (MS-FSCC section 2.1.2.1).
enum class ReparseTag : uint32_t {
  symlink = 0xA000000C,
  nfs = 0x80000014,  ///< of all types, and links
  wsl_symlink = 0xA000001D,
  wsl_socket = 0x80000023,
  wsl_fifo = 0x80000024,
  wsl_char = 0x80000025,
  wsl_block = 0x80000026,
};

/// What a reparse point says of a file.
struct Special {
  uint32_t type = 0;  ///< S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR or S_IFBLK
  /// Of links: where they lead, with '/' between names. Names of clients are as from_client() has them.
  std::string target;
  /// Of devices. WSL's devices keep theirs in an extended attribute ($LXDEV): 0 here.
  uint32_t major = 0, minor = 0;

  bool operator==(const Special&) const = default;
};

/// The buffer that FSCTL_GET_REPARSE_POINT answers and FSCTL_SET_REPARSE_POINT carries. Links are of the tag `symlink`,
/// which Windows follows; all else is of `nfs`. None: the target cannot be written (too long, not a link or special).
/// `posix`: for Linux's client with the POSIX extensions, which takes a target as it stands (and writes it in sfm's
/// way).
std::optional<std::string> to_reparse(const Special& file, bool posix = false);
/// None: malformed, or of a kind that means nothing here (EOPNOTSUPP).
std::optional<Special> from_reparse(Bytes buffer, bool posix = false);
/// The tag that to_reparse() writes for a file of that type (st_mode); none for files and directories.
std::optional<ReparseTag> reparse_tag(uint32_t mode);

}  // namespace isthmus::windows
