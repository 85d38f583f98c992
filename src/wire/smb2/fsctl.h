#pragma once
#include "wire/smb2/codec.h"
#include "wire/smb2/fsctl_codes.h"

/// Inputs and outputs of control codes. Those with `fields` are read by read_data() and written by write_data().
namespace isthmus::smb2 {

using ResumeKey = std::array<std::byte, 24>;

/// Output of SRV_REQUEST_RESUME_KEY (section 2.2.32.3): 32 bytes, as Windows does.
std::string write_resume_key(const ResumeKey& key);

/// Section 2.2.31.1.1.
struct CopychunkRange {
  uint64_t source = 0, target = 0;  ///< offsets
  uint32_t length = 0;              ///< bytes

  bool operator==(const CopychunkRange&) const = default;
  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.source);
    c.number(m.target);
    c.number(m.length);
    c.reserved(4);
  }
};
struct CopychunkLimits {
  uint32_t chunks = 256, chunk_bytes = 1 << 20, total_bytes = 16 << 20;
};
/// Input of SRV_COPYCHUNK and SRV_COPYCHUNK_WRITE (section 2.2.31.1).
struct Copychunk {
  ResumeKey source{};
  bool too_many = false;  ///< chunks, which are left out: invalid_parameter and the limits (section 3.3.5.15.6)
  /// None: macOS wants the whole file, where the context AAPL said that it may.
  std::vector<CopychunkRange> chunks;
};
std::optional<Copychunk> read_copychunk(Bytes input, size_t most = CopychunkLimits{}.chunks);
std::string write_copychunk(const Copychunk& m);

/// Output (section 2.2.32.1). With invalid_parameter it tells the limits, in the order of CopychunkLimits.
struct CopychunkResponse {
  uint32_t chunks_written = 0, chunk_bytes_written = 0, total_bytes_written = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.chunks_written);
    c.number(m.chunk_bytes_written);
    c.number(m.total_bytes_written);
  }
};

/// Input of SET_ZERO_DATA (MS-FSCC section 2.3.71). None: one of them is beyond 2^63, or the end is before the
/// beginning.
struct ZeroData {
  uint64_t offset = 0, beyond = 0;
};
std::optional<ZeroData> read_zero_data(Bytes input);

/// Input and output of QUERY_ALLOCATED_RANGES (MS-FSCC sections 2.3.48, 2.3.49); the input is one of them.
struct FileRange {
  uint64_t offset = 0, length = 0;

  bool operator==(const FileRange&) const = default;
  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.offset);
    c.number(m.length);
  }
};
constexpr size_t kFileRange = 16;  // bytes
/// None: beyond 2^63.
std::optional<FileRange> read_file_range(Bytes input);
std::string write_file_ranges(const std::vector<FileRange>& ranges);

/// Input of SET_SPARSE (MS-FSCC section 2.3.69): nothing means true.
bool read_set_sparse(Bytes input);

/// Input of DUPLICATE_EXTENTS_TO_FILE and, with flags, of its EX (MS-FSCC sections 2.3.7.2, 2.3.9.2).
struct DuplicateExtents {
  static constexpr uint32_t kSourceAtomic = 1;  // flags
  FileId source_id;
  uint64_t source = 0, target = 0, length = 0;  ///< bytes
  uint32_t flags = 0;
};
std::optional<DuplicateExtents> read_duplicate_extents(Bytes input, bool ex);

/// Input of FILE_LEVEL_TRIM (MS-FSCC section 2.3.73). None: malformed, or more than `most` ranges.
std::optional<std::vector<FileRange>> read_trim(Bytes input, size_t most = 4096);
/// Output: how many ranges were trimmed.
std::string write_trim(uint32_t processed);

/// Output of QUERY_NETWORK_INTERFACE_INFO (section 2.2.32.5).
struct NetworkInterface {
  uint32_t index = 0;
  uint64_t speed = 0;  ///< bits a second
  Bytes address;       ///< 4 bytes or 16
};
std::string write_network_interfaces(const std::vector<NetworkInterface>& all);

/// Output of SRV_ENUMERATE_SNAPSHOTS where there are none (section 2.2.32.2).
std::string no_snapshots();
/// Output of CREATE_OR_GET_OBJECT_ID and GET_OBJECT_ID (MS-FSCC section 2.1.3.1).
std::string write_object_id(const Guid& object, const Guid& volume);
/// Output of GET_COMPRESSION: none.
std::string no_compression();
/// Input of SET_COMPRESSION: the format; 0: none.
std::optional<uint16_t> read_compression(Bytes input);
/// Output of GET_INTEGRITY_INFORMATION (MS-FSCC section 2.3.20): no checksums.
std::string no_integrity(uint32_t cluster_size);

}  // namespace isthmus::smb2
