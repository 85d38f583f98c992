#pragma once
#include "wire/smb2/codec.h"
#include "wire/smb2/file_facts.h"

namespace isthmus::smb2 {

constexpr size_t kPosixFactsHead = 80;  // bytes, without the two SIDs

/// The mode as POSIX clients have it: permission bits, and of special files the type above them, 2 to 6. Files and
/// directories have none there: the attributes tell them apart, and older clients take type bits for st_mode's.
constexpr uint32_t posix_wire_mode(uint32_t st_mode) {
  uint32_t type = 0;
  switch (st_mode >> 12) {
    case 012:  // S_IFLNK
      type = 2;
      break;
    case 002:  // S_IFCHR
      type = 3;
      break;
    case 006:  // S_IFBLK
      type = 4;
      break;
    case 001:  // S_IFIFO
      type = 5;
      break;
    case 014:  // S_IFSOCK
      type = 6;
      break;
    default:
      break;
  }
  return type << 12 | (st_mode & 07777);
}

/// What the class posix says of a file, by itself and in directories.
inline void put_posix_facts(Encoder& e, const FileFacts& f) {
  FileTimes::fields(e, f.times);
  e.number(f.end_of_file);
  e.number(f.posix_allocation);
  e.number(f.attributes);
  e.number(f.index_number);
  e.number(f.device);
  e.reserved(4);
  e.number(f.posix_links);
  e.number(f.reparse_tag);
  e.number(posix_wire_mode(f.posix_mode));
  e.bytes(f.owner);
  e.bytes(f.group);
}

}  // namespace isthmus::smb2
