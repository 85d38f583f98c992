#pragma once
#include <sys/stat.h>

#include <cstdint>

namespace isthmus {

/// Whether a mode has the type of something that files are (inode(7)): a peer may say any.
constexpr bool is_file_type(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      return true;
    default:
      return false;
  }
}

}  // namespace isthmus
