#pragma once
#include <sys/sysmacros.h>

#include <cstdint>

namespace isthmus::wire::fuse {

/// Device numbers: 32 bits in messages (the kernel's new_encode_dev), makedev(3) elsewhere.
inline uint64_t from_wire_rdev(uint32_t rdev) {
  return makedev((rdev & 0xfff00) >> 8, (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
}
inline uint32_t to_wire_rdev(uint64_t rdev) {
  uint32_t major_number = major(rdev), minor_number = minor(rdev);
  return (minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffu) << 12);
}

}  // namespace isthmus::wire::fuse
