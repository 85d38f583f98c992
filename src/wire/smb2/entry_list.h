#pragma once
#include <cstdint>

#include "base/endian.h"

/// Lists whose entries begin with a number of 32 bits that leads from there to the next one (NextEntryOffset; 0: the
/// last).
namespace isthmus::smb2 {

/// Links the last entry, which begins at `last`, to one of `size` bytes that the caller appends next. False: `limit`
/// bytes have no room for it, and nothing was changed. align: of where entries begin, a power of two.
inline bool begin_entry(std::string& list, size_t& last, size_t align, size_t size, size_t limit = UINT32_MAX) {
  const size_t at = round_up(list.size(), align);
  if (at > limit || size > limit - at) return false;
  if (!list.empty()) {
    list.resize(at);
    for (size_t i = 0; i < 4; i++) list[last + i] = static_cast<char>((at - last) >> 8 * i & 0xff);
  }
  last = at;
  return true;
}

}  // namespace isthmus::smb2
