#pragma once
#include "wire/smb2/ea.h"
#include "wire/smb2/file_times.h"

namespace isthmus::smb2 {

struct StreamFact {
  std::string name;  ///< UTF-16: ":name:$DATA"; of the file itself "::$DATA"
  uint64_t size = 0, allocation = 0;
};

/// What the answers about a file are made of. Each takes what it needs; nothing has to be set for those that are not
/// asked for.
struct FileFacts {
  FileTimes times;
  uint64_t allocation = 0, end_of_file = 0;  ///< bytes
  uint32_t attributes = 0;                   ///< kAttr...
  uint32_t reparse_tag = 0;                  ///< with kAttrReparsePoint
  uint32_t links = 1;
  bool delete_pending = false, directory = false;
  uint64_t index_number = 0;   ///< the file's, unique on its volume
  uint64_t volume_serial = 0;  ///< FileIdInformation
  uint32_t ea_size = 0;        ///< bytes of the list of extended attributes
  std::vector<Ea> eas;
  /// Of the open file: rights, create options that can be changed later, position, alignment that buffers need.
  uint32_t granted_access = 0, mode = 0;
  uint64_t position = 0;
  uint32_t alignment = 0;
  std::string name;        ///< UTF-16, from the share's root on, beginning with '\'; NormalizedName has no '\'
  std::string short_name;  ///< UTF-16 name of 8.3; empty: none
  std::vector<StreamFact> streams;
  bool case_sensitive = false;  ///< names in this directory
  /// POSIX: st_mode; links also of directories. SIDs in bytes.
  uint32_t posix_mode = 0, posix_links = 1, uid = 0, gid = 0, device_major = 0, device_minor = 0;
  uint64_t posix_allocation = 0;  ///< bytes that the file takes
  uint32_t device = 0;            ///< number of the device that the file is on
  std::string owner, group;
};

}  // namespace isthmus::smb2
