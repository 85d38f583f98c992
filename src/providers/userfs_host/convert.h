#pragma once
#include "base/result.h"
#include "vfs/types.h"
#include "wire/userfs/packets.h"

/// Nouns of the wire to those of the waist and back, as a kernel reads them. Pure.
namespace isthmus::userfs_host {

namespace packets = wire::userfs;

/// EIO: a type that no file has, or a size that none can have.
Result<Attr> from_wire(const packets::Attr& w);
/// The same with how long they may be believed.
Result<Attributes> from_wire(const packets::AttrReply& w);
StatFs from_wire(const packets::StatfsReply& w);
Result<Lock> from_wire(const packets::Lock& w);
packets::Lock to_wire(const Lock& l);
packets::NotifyChangeRequest to_wire(const SetAttr& s);

}  // namespace isthmus::userfs_host
