#pragma once
#include <string>

#include "wire/smb2/classes.h"
#include "wire/smb2/file_facts.h"

/// Answers to QUERY_DIRECTORY (MS-FSCC section 2.4).
namespace isthmus::smb2 {

/// What macOS wants in entries of the class id_both, when it negotiated that by the context AAPL.
struct AaplEntry {
  uint32_t max_access = 0;
  uint64_t resource_fork_size = 0;
  /// Type and creator (4 bytes each), flags and extended flags (2 each), date added (4): parts of FinderInfo.
  std::string_view finder_info;
  uint16_t mode = 0;  ///< of st_mode
};

/// Entries of one answer.
class DirectoryWriter {
 public:
  /// limit: bytes that the client takes.
  DirectoryWriter(FindClass what, size_t limit) : class_(what), limit_(limit) {}
  static bool knows(FindClass what);

  /// name: UTF-16, of the entry itself. Only id_both looks at aapl. False: no room, and nothing was written.
  bool add(const FileFacts& facts, Bytes name, const AaplEntry* aapl = nullptr);
  bool empty() const { return out_.empty(); }
  /// An entry was refused while nothing was there: info_length_mismatch.
  bool first_did_not_fit() const { return first_did_not_fit_; }
  size_t size() const { return out_.size(); }
  std::string finish() { return std::move(out_); }

 private:
  FindClass class_;
  size_t limit_, last_ = 0;  // bytes; where the last entry begins
  bool first_did_not_fit_ = false;
  std::string out_;
};

}  // namespace isthmus::smb2
