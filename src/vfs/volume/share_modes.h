#pragma once
#include <cstdint>

#include "vfs/types.h"

namespace isthmus::volume {

/// Share-mode bits of op::Open. Others' share modes do not forbid kAccessOther, which is more than a look at attributes
/// and takes write leases, kAccessControl, which takes oplocks alone, and kAccessDetach: the name is to go, or one
/// above it, so others close what they have open by handle leases alone.
enum AccessBits : uint8_t {
  kAccessRead = 1,
  kAccessWrite = 2,
  kAccessDelete = 4,
  kShareAll = 7,
  kAccessOther = 8,
  kAccessControl = 16,
  kAccessDetach = 32,
  kAccessAll = 63,
};

/// All of LeaseBits.
constexpr uint8_t kLeaseAll = kLeaseRead | kLeaseHandle | kLeaseWrite;
/// In op::SetLease::bits: what is asked for is an oplock of SMB's, which is not granted where somebody else has a
/// handle lease, nor a handle lease where somebody has an oplock.
constexpr uint8_t kLeaseOplock = 0x80;
/// In op::SetLease::bits: the node is a directory, of which there are no write leases.
constexpr uint8_t kLeaseDirectory = 0x40;

}  // namespace isthmus::volume
