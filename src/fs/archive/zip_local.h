#pragma once
#include <cstdint>
#include <optional>

#include "fs/archive/reader.h"

namespace isthmus::fs::archive {

/// An entry's own header in a zip archive (APPNOTE.TXT 4.3.7).
struct ZipLocal {
  uint64_t at = 0;      ///< offset in the archive
  uint16_t flags = 0;   ///< bit 0: encrypted; bit 3: sizes are behind the data
  uint16_t method = 0;  ///< 0: stored
  uint64_t size = 0;    ///< UINT64_MAX: not said here (bit 3, or zip64)
};

/// The local header whose data begins at `data`: libarchive tells where it stands after reading one, not where the
/// header was. Nothing when none of at most 8 KiB fits there.
std::optional<ZipLocal> find_zip_local(const ArchiveFile& file, uint64_t data);

}  // namespace isthmus::fs::archive
