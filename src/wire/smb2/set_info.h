#pragma once
#include "wire/smb2/classes.h"
#include "wire/smb2/codec.h"
#include "wire/smb2/file_times.h"

/// What SET_INFO says of files (MS-FSCC section 2.4). None from a reader: shorter than minimum_set_size()
/// (info_length_mismatch), or what cannot be (invalid_parameter). Attributes (class 15) are read by ea.h.
namespace isthmus::smb2 {

/// Bytes; 0: no class that can be set (invalid_info_class).
size_t minimum_set_size(FileInfoClass what);

/// Class 4. Times: see time_change(). Attributes: 0: as they are.
struct BasicChange {
  FileTimes times;
  uint32_t attributes = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    FileTimes::fields(c, m.times);
    c.number(m.attributes);
    c.reserved(4);
  }
};
std::optional<BasicChange> read_basic_change(Bytes data);

/// What a time of BasicChange asks for (MS-FSCC section 2.4.7).
enum class TimeChange {
  keep,    ///< 0: as it is
  set,     ///< to this time
  freeze,  ///< -1: as it is, and not changed by what this handle does from now on
  thaw,    ///< -2: as it is, changed again by what this handle does
};
TimeChange time_change(uint64_t time);

/// Classes 10, 65 (rename), 11, 72 (link).
struct NameChange {
  static constexpr uint32_t kReplace = 1, kPosix = 2, kIgnoreReadOnly = 0x40;  // flags; without Ex only kReplace
  uint32_t flags = 0;
  uint64_t root = 0;  ///< directory that the name begins at: always 0 by network
  Bytes name;         ///< UTF-16, not empty
};
/// ex: classes 65 and 72.
std::optional<NameChange> read_name_change(Bytes data, bool ex);

/// Classes 13 and 64.
struct DispositionChange {
  static constexpr uint32_t kDelete = 1, kPosix = 2, kForceImageCheck = 4, kOnClose = 8, kIgnoreReadOnly = 0x10;
  uint32_t flags = 0;  ///< without Ex only kDelete
};
/// ex: class 64.
std::optional<DispositionChange> read_disposition_change(Bytes data, bool ex);

/// Classes 14 (position), 19 (allocation), 20 (end of file), 39 (valid data): bytes, never beyond 2^63.
std::optional<uint64_t> read_size_change(Bytes data);
/// Classes 16 (mode: create options), 71 (case sensitivity: 1).
std::optional<uint32_t> read_flags_change(Bytes data);
/// Class 40 (short name): UTF-16.
std::optional<Bytes> read_short_name_change(Bytes data);

}  // namespace isthmus::smb2
