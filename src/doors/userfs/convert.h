#pragma once
#include "base/result.h"
#include "vfs/types.h"
#include "wire/userfs/packets.h"

/// Nouns of the waist to those of the wire and back, for a door. Pure.
namespace isthmus::userfs {

namespace packets = wire::userfs;

packets::Attr to_wire(const Attr& a);
packets::AttrReply to_wire(const Attributes& a);
/// Without its handle.
packets::Entry to_wire(const Entry& e);
packets::StatfsReply to_wire(const StatFs& s);
packets::Lock to_wire(const Lock& l);
uint32_t opened_to_wire(uint32_t flags);
SetAttr from_wire(const packets::NotifyChangeRequest& r);
/// EINVAL: no such type.
Result<Lock> from_wire(const packets::Lock& l);

}  // namespace isthmus::userfs
