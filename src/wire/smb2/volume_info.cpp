#include "wire/smb2/volume_info.h"

#include "wire/smb2/codec.h"

namespace isthmus::smb2 {
namespace {

constexpr uint32_t kSectorsAligned = 1, kPartitionAligned = 2, kNoSeekPenalty = 4, kTrimEnabled = 8;
constexpr uint64_t kNoQuota = UINT64_MAX;

void put_sector_size(Encoder& e, const VolumeFacts& v) {
  e.number(v.bytes_per_sector);
  // Physical sectors for atomicity and for performance, and what the file system takes for the former.
  for (int i = 0; i < 3; i++) e.number(v.physical_sector);
  e.number(kSectorsAligned | kPartitionAligned | (v.no_seek_penalty ? kNoSeekPenalty : 0) |
           (v.trim ? kTrimEnabled : 0));
  e.reserved(8);  // alignment of sectors, of the partition: bytes off
}

}  // namespace

std::optional<std::string> write_volume_info(FsInfoClass what, const VolumeFacts& v) {
  Encoder e;
  switch (what) {
    case FsInfoClass::volume:
      e.number(v.creation);
      e.number(v.serial);
      e.number(static_cast<uint32_t>(v.label.size()));
      e.number<uint8_t>(v.supports_objects ? 1 : 0);
      e.reserved(1);
      e.bytes(v.label);
      break;
    case FsInfoClass::size:
      e.number(v.total_units);
      e.number(v.available_units);
      e.number(v.sectors_per_unit);
      e.number(v.bytes_per_sector);
      break;
    case FsInfoClass::device:
      e.number(v.device_type);
      e.number(v.characteristics);
      break;
    case FsInfoClass::attribute:
      e.number(v.attributes);
      e.number(v.longest_name);
      e.number(static_cast<uint32_t>(v.filesystem.size()));
      e.bytes(v.filesystem);
      break;
    case FsInfoClass::full_size:
      e.number(v.total_units);
      e.number(v.available_units);
      e.number(v.free_units);
      e.number(v.sectors_per_unit);
      e.number(v.bytes_per_sector);
      break;
    case FsInfoClass::control:  // nothing is filtered, and nobody has a quota
      e.reserved(24);
      e.number(kNoQuota);
      e.number(kNoQuota);
      e.reserved(8);
      break;
    case FsInfoClass::object_id:
      e.id(v.object_id);
      e.reserved(48);
      break;
    case FsInfoClass::sector_size:
      put_sector_size(e, v);
      break;
    case FsInfoClass::posix:
      e.number(v.optimal_transfer);
      e.number(v.block_size);
      e.number(v.blocks);
      e.number(v.blocks_free);
      e.number(v.blocks_available);
      e.number(v.files);
      e.number(v.files_free);
      e.number(v.fsid);
      break;
    default:
      return std::nullopt;
  }
  return e.finish();
}

size_t minimum_size(FsInfoClass what) {
  switch (what) {
    case FsInfoClass::device:
      return 8;
    case FsInfoClass::attribute:
      return 16;
    case FsInfoClass::volume:
    case FsInfoClass::size:
      return 24;
    case FsInfoClass::sector_size:
      return 28;
    case FsInfoClass::full_size:
      return 32;
    case FsInfoClass::control:
      return 48;
    case FsInfoClass::posix:
      return 56;
    case FsInfoClass::object_id:
      return 64;
    default:
      return 0;
  }
}

}  // namespace isthmus::smb2
