#pragma once
#include <optional>
#include <string>

#include "wire/smb2/classes.h"
#include "wire/smb2/codes.h"

/// Answers to QUERY_INFO about volumes (MS-FSCC section 2.5).
namespace isthmus::smb2 {

/// FileSystemAttributes.
constexpr uint32_t kFsCaseSensitiveSearch = 0x1, kFsCasePreserved = 0x2, kFsUnicode = 0x4, kFsPersistentAcls = 0x8,
                   kFsCompression = 0x10, kFsQuotas = 0x20, kFsSparseFiles = 0x40, kFsReparsePoints = 0x80,
                   kFsRemoteStorage = 0x100, kFsObjectIds = 0x10000, kFsEncryption = 0x20000, kFsNamedStreams = 0x40000,
                   kFsReadOnly = 0x80000, kFsTransactions = 0x200000, kFsHardLinks = 0x400000,
                   kFsExtendedAttributes = 0x800000, kFsOpenByFileId = 0x1000000, kFsBlockRefcounting = 0x8000000;

struct VolumeFacts {
  static constexpr uint32_t kDisk = 7;                                                       // device types
  static constexpr uint32_t kRemovable = 1, kReadOnly = 2, kRemote = 0x10, kMounted = 0x20;  // characteristics
  uint64_t creation = 0;                                                                     ///< FILETIME
  uint32_t serial = 0;
  std::string label;              ///< UTF-16
  bool supports_objects = false;  ///< object-oriented file system objects, not object ids
  /// In units of sectors_per_unit * bytes_per_sector bytes.
  uint64_t total_units = 0, available_units = 0, free_units = 0;
  uint32_t sectors_per_unit = 1, bytes_per_sector = 512;
  uint32_t device_type = kDisk, characteristics = kMounted;
  uint32_t attributes = 0;  ///< kFs...
  uint32_t longest_name = 255;
  std::string filesystem;  ///< UTF-16: "NTFS" makes Windows offer the most
  Guid object_id{};
  uint32_t physical_sector = 4096;  ///< bytes, for performance and atomicity
  bool trim = false, no_seek_penalty = true;
  /// POSIX, in units of block_size bytes. ~0 of the numbers of files: not known.
  uint32_t block_size = 4096, optimal_transfer = 4096;
  uint64_t blocks = 0, blocks_free = 0, blocks_available = 0, files = ~0ull, files_free = ~0ull, fsid = 0;
};

/// None: no class that can be asked (invalid_info_class).
std::optional<std::string> write_volume_info(FsInfoClass what, const VolumeFacts& facts);
/// As minimum_size() of file_info.h.
size_t minimum_size(FsInfoClass what);

}  // namespace isthmus::smb2
