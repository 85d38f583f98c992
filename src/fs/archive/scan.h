#pragma once
#include <memory>
#include <string>

#include "fs/archive/index.h"
#include "fs/archive/options.h"
#include "fs/archive/reader.h"

namespace isthmus::fs::archive {

/// An archive and what was learnt of it. Never changed after scan(): any thread may read it.
struct Archive {
  ArchiveFile file;
  Index index;
  std::string format, filters;  ///< as libarchive names them: "GNU tar format", "gzip"
  Formats formats = Formats::all;
  bool zip = false;
  bool filtered = false;   ///< compressed as a whole: offsets in it are not offsets in the file
  bool solid = false;      ///< passing over an entry costs about as much as reading it
  uint64_t decoded = 0;    ///< bytes that one pass over the data gives
  uint64_t data_size = 0;  ///< sum of the sizes of files
  uint32_t entries = 0;    ///< in the archive
  bool truncated = false;
};

/// Opens the file and makes the index. Null: `error` says why. Oddities are logged, a line for each kind.
std::unique_ptr<Archive> scan(const std::string& path, const ArchiveOptions& o, const ArchiveHooks& hooks,
                              OpenError& error);
/// The same for a descriptor (a memory file, in tests); `name` is for messages.
std::unique_ptr<Archive> scan(Fd fd, const std::string& name, const ArchiveOptions& o, const ArchiveHooks& hooks,
                              OpenError& error);

}  // namespace isthmus::fs::archive
