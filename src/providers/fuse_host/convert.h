#pragma once
#include "base/result.h"
#include "vfs/types.h"
#include "wire/fuse/structs.h"

/// Structs of the FUSE protocol to nouns of the waist, as a kernel reads them. Pure.
namespace isthmus::fuse_host {

/// EIO: a type that no file has.
Result<Attr> from_wire(const wire::fuse::Attr& a);
/// With a birth time, if it says one. Its mask holds STATX_BASIC_STATS.
Result<Attr> from_wire(const wire::fuse::Statx& s);
/// The same for a node that must be there.
Result<Entry> from_wire(const wire::fuse::EntryOut& e);
Ttl to_ttl(uint64_t sec, uint32_t nsec);
Opened from_wire(const wire::fuse::OpenOut& o, bool directory);
StatFs from_wire(const wire::fuse::StatfsOut& s);
wire::fuse::SetattrIn to_wire(const SetAttr& s);
wire::fuse::FileLock to_wire(const Lock& l);
Result<Lock> from_wire(const wire::fuse::FileLock& l);

}  // namespace isthmus::fuse_host
