#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace isthmus::fs::archive {

/// What `archive:PATH?key=value&...` can say. Sizes are in bytes; in text they may end in k, m, g or t (powers of
/// 1024).
struct ArchiveOptions {
  uint64_t cache_size = uint64_t{1} << 30;  ///< decoded data kept in an unlinked file, for what cannot be read in place
  std::string cache_dir;                    ///< empty: the first usable of $XDG_CACHE_HOME/isthmus, $TMPDIR, /var/tmp
  bool cache_in_memory = false;             ///< `cache_dir=memory`: the cache is anonymous memory instead
  uint32_t max_entries = 10'000'000;        ///< names shown, made-up parent directories included
  uint64_t max_index_memory = uint64_t{4} << 30;  ///< of our tables; libarchive keeps its own for zip, 7z, iso and xar
  uint64_t max_total = uint64_t{16} << 40;        ///< decoded bytes that making the index may run through
  uint32_t max_ratio = 20'000;                    ///< of those to the archive's own size, once past 4 GiB
  uint32_t max_filters = 4;                       ///< compressions inside each other (a.tar.gz has one)
  std::string charset;                            ///< of names that do not say theirs, as iconv(3) calls it ("CP437")
  std::optional<uint32_t> uid, gid;               ///< shown instead of the archive's
  std::string passphrase_file;                    ///< its first line opens encrypted entries
};

/// Sets one option. False: `why` says what is wrong with it.
bool set_archive_option(ArchiveOptions& o, std::string_view key, std::string_view value, std::string& why);
/// The same for "key=value&key=value"; "" is no option.
bool parse_archive_options(ArchiveOptions& o, std::string_view query, std::string& why);

/// What a caller can take part in while an archive is opened. All on the opening thread; any may be empty.
struct ArchiveHooks {
  /// Bytes of the archive file gone through, its size, entries found. Called a few times a second at most.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes, uint64_t entries)> progress;
  /// True: stop; open fails with EINTR.
  std::function<bool()> cancelled;
  /// A passphrase for the archive's encrypted entries, or nothing to go on without. attempt: 1, 2, 3; from 2 on the
  /// one before was wrong. Only asked when passphrase_file is not set.
  std::function<std::optional<std::string>(int attempt)> passphrase;
};

/// Why an archive could not be opened: text names the file, the reason and the next step.
struct OpenError {
  Errno code{};
  std::string text;
};

}  // namespace isthmus::fs::archive
