#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"

/// What a CHANGE_NOTIFY answers (MS-FSCC section 2.7.1).
namespace isthmus::smb2 {

/// CompletionFilter (section 2.2.35).
constexpr uint32_t kChangeFileName = 0x1, kChangeDirName = 0x2, kChangeAttributes = 0x4, kChangeSize = 0x8,
                   kChangeLastWrite = 0x10, kChangeLastAccess = 0x20, kChangeCreation = 0x40, kChangeEa = 0x80,
                   kChangeSecurity = 0x100, kChangeStreamName = 0x200, kChangeStreamSize = 0x400,
                   kChangeStreamWrite = 0x800;

enum class NotifyAction : uint32_t {
  added = 1,
  removed = 2,
  modified = 3,
  renamed_old = 4,
  renamed_new = 5,
  added_stream = 6,
  removed_stream = 7,
  modified_stream = 8,
  removed_by_delete = 9,
  id_not_tunnelled = 10,
  tunnelled_id_collision = 11,
};

class NotifyWriter {
 public:
  /// limit: bytes that the client takes.
  explicit NotifyWriter(size_t limit) : limit_(limit) {}

  /// name: UTF-16, from the watched directory on. False: no room, and nothing was written: notify_enum_dir is the
  /// answer then.
  bool add(NotifyAction action, Bytes name);
  bool empty() const { return out_.empty(); }
  std::string finish() { return std::move(out_); }

 private:
  size_t limit_, last_ = 0;  // bytes; where the last entry begins
  std::string out_;
};

}  // namespace isthmus::smb2
