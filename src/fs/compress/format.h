#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

/// What lies in a file of zstd: frames (RFC 8878) and the seek table of zstd's contrib/seekable_format, a skippable
/// frame at the end that lists them. Pure functions; all input is foreign.
namespace isthmus::fs::compress {

constexpr uint32_t kFrameMagic = 0xFD2FB528;
constexpr uint32_t kSkippableMagic = 0x184D2A50;  ///< and the 15 numbers behind it
constexpr uint32_t kTableMagic = 0x184D2A5E;
constexpr uint32_t kFooterMagic = 0x8F92EAB1;
constexpr size_t kSkippableHeader = 8, kTableFooter = 9;
constexpr size_t kBlockMost = size_t{128} << 10;  ///< plain bytes of a block
constexpr size_t kBlockHeader = 3;
constexpr size_t kFrameHeaderMost = 18;

/// What can be handled at all: frames of a file (their index takes 48 bytes each) and plain bytes.
constexpr uint64_t kMostFrames = uint64_t{1} << 22;
constexpr uint64_t kMostPlain = uint64_t{1} << 46;

struct Frame {
  uint64_t at = 0;      ///< in the file
  uint64_t stored = 0;  ///< bytes of the file
  uint64_t plain = 0;   ///< bytes it decodes to
};

struct FrameHeader {
  size_t size = 0;                ///< of the header itself
  std::optional<uint64_t> plain;  ///< where it says
  bool checksum = false;          ///< four bytes after the last block
};
/// The header at the front of `bytes`; none where there is no frame of zstd, a reserved bit is set, or too few bytes.
std::optional<FrameHeader> parse_frame_header(Bytes bytes);

struct BlockHeader {
  bool last = false;
  uint32_t stored = 0;      ///< bytes that follow the header
  uint32_t plain_most = 0;  ///< that these can decode to
};
/// None for the reserved type, a block that is too large, or too few bytes.
std::optional<BlockHeader> parse_block_header(Bytes bytes);

struct TableFooter {
  uint32_t frames = 0;
  size_t entry = 0;     ///< bytes of an entry: 8, or 12 with a checksum
  uint64_t stored = 0;  ///< bytes of the whole table, header and footer included
};
/// The last nine bytes of a file. Empty optional: no table. `bad`: a table that cannot be.
std::optional<TableFooter> parse_table_footer(Bytes last, bool& bad);

/// The skippable frame with the table, for `entries` in the order in which they follow one another from offset 0.
std::string make_seek_table(const std::vector<Frame>& entries);

/// A frame of nothing, so that a file without content is one for zstd(1).
std::string make_empty_frame();

/// A frame of zeros, always the same bytes for the same size (at most 4 GiB): four bytes for each 128 KiB. How holes
/// are stored, and found again without decoding.
std::string make_zero_frame(uint64_t plain);
constexpr uint64_t zero_frame_size(uint64_t plain) { return 10 + 4 * ((plain + kBlockMost - 1) / kBlockMost); }

bool all_zero(Bytes bytes);

}  // namespace isthmus::fs::compress
