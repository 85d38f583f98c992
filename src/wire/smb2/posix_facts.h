#pragma once
#include "wire/smb2/codec.h"
#include "wire/smb2/file_facts.h"

namespace isthmus::smb2 {

constexpr size_t kPosixFactsHead = 80;  // bytes, without the two SIDs

/// What the class posix says of a file, by itself and in directories.
inline void put_posix_facts(Encoder& e, const FileFacts& f) {
  FileTimes::fields(e, f.times);
  e.number(f.end_of_file);
  e.number(f.allocation);
  e.number(f.attributes);
  e.number(f.index_number);
  e.number(f.device);
  e.reserved(4);
  e.number(f.links);
  e.number(f.reparse_tag);
  e.number(f.posix_mode);
  e.bytes(f.owner);
  e.bytes(f.group);
}

}  // namespace isthmus::smb2
