#pragma once
#include <cstdint>

#include "doors/fuse/policy.h"
#include "vfs/types.h"
#include "wire/fuse/structs.h"

/// Nouns of the waist to structs of the kernel and back. Pure.
namespace isthmus::fuse {

/// Seconds and nanoseconds for which the kernel may believe something.
struct Valid {
  uint64_t sec;
  uint32_t nsec;
};
Valid to_valid(Ttl ttl);

/// `node` stands in for an inode number of 0.
wire::fuse::Attr to_wire(const Attr& a, NodeId node);
wire::fuse::EntryOut to_wire(const Entry& e, const Policy& policy);
wire::fuse::AttrOut to_wire(const Attributes& a, NodeId node, const Policy& policy);
wire::fuse::StatxOut to_statx(const Attributes& a, NodeId node, const Policy& policy);
/// directory: the open flags of a directory rather than a file.
wire::fuse::OpenOut to_wire(const Opened& o, bool directory, const Policy& policy);
wire::fuse::StatfsOut to_wire(const StatFs& s);
wire::fuse::FileLock to_wire(const Lock& l);

SetAttr from_wire(const wire::fuse::SetattrIn& in);
/// EINVAL for an unknown type or an end before the start.
Result<Lock> from_wire(const wire::fuse::LkIn& in);

}  // namespace isthmus::fuse
