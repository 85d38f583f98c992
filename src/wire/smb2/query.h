#pragma once
#include "wire/smb2/classes.h"
#include "wire/smb2/codec.h"

/// Asking and telling about files, directories and volumes.
namespace isthmus::smb2 {

/// Section 2.2.33. The answer is DataResponse.
struct QueryDirectoryRequest {
  static constexpr uint8_t kRestartScans = 1, kReturnSingleEntry = 2, kIndexSpecified = 4, kReopen = 0x10;  // flags
  FindClass find_class = FindClass::directory;
  uint8_t flags = 0;
  uint32_t file_index = 0;
  FileId file_id;
  Bytes pattern;            ///< UTF-16
  uint32_t max_output = 0;  ///< bytes

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(33);
    c.number(m.find_class);
    c.number(m.flags);
    c.number(m.file_index);
    c.id(m.file_id);
    c.template buffer<uint16_t>(m.pattern);
    c.number(m.max_output);
  }
};

/// AdditionalInformation of the security class: the parts that are asked for or set.
constexpr uint32_t kSecurityOwner = 1, kSecurityGroup = 2, kSecurityDacl = 4, kSecuritySacl = 8, kSecurityLabel = 0x10,
                   kSecurityAttribute = 0x20, kSecurityScope = 0x40, kSecurityBackup = 0x10000;

/// Section 2.2.37. The answer is DataResponse.
struct QueryInfoRequest {
  static constexpr uint32_t kRestartScan = 1, kReturnSingleEntry = 2, kIndexSpecified = 4;  // flags, of lists of EAs
  InfoType type = InfoType::file;
  uint8_t info_class = 0;   ///< a FileInfoClass or FsInfoClass
  uint32_t max_output = 0;  ///< bytes
  Bytes input;
  uint32_t additional = 0, flags = 0;
  FileId file_id;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(41);
    c.number(m.type);
    c.number(m.info_class);
    c.number(m.max_output);
    c.template buffer<uint16_t, uint32_t, 2>(m.input);
    c.number(m.additional);
    c.number(m.flags);
    c.id(m.file_id);
  }
};

/// Section 2.2.39.
struct SetInfoRequest {
  InfoType type = InfoType::file;
  uint8_t info_class = 0;
  Bytes data;
  uint32_t additional = 0;
  FileId file_id;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(33);
    c.number(m.type);
    c.number(m.info_class);
    c.template sized_buffer<uint32_t, uint16_t>(m.data);
    c.reserved(2);
    c.number(m.additional);
    c.id(m.file_id);
  }
};

/// Section 2.2.40.
struct SetInfoResponse {
  template <class C, class M>
  static void fields(C& c, M&) {
    c.structure_size(2);
  }
};

/// Responses of QUERY_DIRECTORY, QUERY_INFO and CHANGE_NOTIFY (sections 2.2.34, 2.2.36, 2.2.38).
struct DataResponse {
  Bytes data;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(9);
    c.template buffer<uint16_t, uint32_t>(m.data);
  }
};

/// Section 2.2.35. The answer is DataResponse with a list of notify_info.h.
struct ChangeNotifyRequest {
  static constexpr uint16_t kWatchTree = 1;  // flags
  uint16_t flags = 0;
  uint32_t max_output = 0;  ///< bytes
  FileId file_id;
  uint32_t filter = 0;  ///< kChange...

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(32);
    c.number(m.flags);
    c.number(m.max_output);
    c.id(m.file_id);
    c.number(m.filter);
    c.reserved(4);
  }
};

}  // namespace isthmus::smb2
