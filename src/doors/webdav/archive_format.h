#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace isthmus::webdav {

/// What an archive tells of one file.
struct ArchiveEntry {
  std::string_view path;  ///< UTF-8, relative; a directory's ends with '/'
  uint32_t mode = 0;      ///< st_mode
  int64_t mtime = 0;      ///< seconds since 1970
  uint64_t size = 0;      ///< bytes of content that follow; a link's target is content for zip
  std::string_view link;  ///< target of a symbolic link
};

/// CRC-32 of ISO 3309, as zip has it; begins with 0.
uint32_t crc32(uint32_t before, Bytes data);

/// Writes a zip archive whose members are stored, not compressed (PKWARE APPNOTE 6.3.10), without going back: checksums
/// stand behind the content. Sizes and offsets are of 64 bits where they have to be. Of each member some 100 bytes and
/// its name stay in memory for the directory at the end.
class ZipFormat {
 public:
  /// Appends what comes before the content of a member.
  void begin(std::string& out, const ArchiveEntry& entry);
  /// What comes behind the content, which the caller has sent: `entry.size` bytes of this checksum.
  void end(std::string& out, uint32_t crc);
  /// The directory of the whole archive.
  void finish(std::string& out);

 private:
  struct Member {
    std::string path;
    uint32_t mode = 0, dos_time = 0, crc = 0;
    int64_t mtime = 0;
    uint64_t size = 0, offset = 0;
    bool large() const;  // sizes of 64 bits
  };
  std::vector<Member> members_;
  uint64_t at_ = 0;  // bytes of the archive so far
};

/// Writes a tar archive (POSIX.1-2001, pax): long names, large files and names in UTF-8 stand in extended headers.
namespace tar {
void begin(std::string& out, const ArchiveEntry& entry);
/// Fills the last block of `size` bytes of content.
void end(std::string& out, uint64_t size);
void finish(std::string& out);
}  // namespace tar

}  // namespace isthmus::webdav
