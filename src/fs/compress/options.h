#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace isthmus::fs::compress {

struct Options {
  int level = 3;                         ///< of zstd(1), 1 to 19
  uint64_t frame = uint64_t{256} << 10;  ///< plain bytes of a frame of files written here
  uint64_t cache = uint64_t{64} << 20;   ///< plain bytes in memory, read and not yet written ones each
  uint64_t spool = uint64_t{1} << 30;    ///< bytes on disk for a file that cannot be read at random; 0: none
  std::string spool_dir;                 ///< empty: chosen (base/unlinked_file.h)
  uint32_t write_after_ms = 30'000;      ///< what was written is stored by then, though nobody closes the file
};

using KeyValues = std::span<const std::pair<std::string, std::string>>;

/// Keys compress.level, compress.frame, compress.cache, compress.spool, compress.spool_dir, compress.write_after. Other
/// keys are left alone. False: `why` says what is wrong.
bool parse_options(KeyValues keys, Options& out, std::string& why);

}  // namespace isthmus::fs::compress
