#pragma once
#include <cstdint>

/// Kinds of information (section 2.2.37, MS-FSCC sections 2.4 and 2.5). A peer may name others.
namespace isthmus::smb2 {

enum class InfoType : uint8_t { file = 1, filesystem = 2, security = 3, quota = 4 };

enum class FileInfoClass : uint8_t {
  basic = 4,
  standard = 5,
  internal = 6,
  ea = 7,
  access = 8,
  name = 9,
  rename = 10,
  link = 11,
  disposition = 13,
  position = 14,
  full_ea = 15,
  mode = 16,
  alignment = 17,
  all = 18,
  allocation = 19,
  end_of_file = 20,
  alternate_name = 21,
  stream = 22,
  pipe = 23,
  pipe_local = 24,
  pipe_remote = 25,
  compression = 28,
  object_id = 29,
  quota = 32,
  reparse_point = 33,
  network_open = 34,
  attribute_tag = 35,
  valid_data_length = 39,
  short_name = 40,
  hard_link = 46,
  normalized_name = 48,
  standard_link = 54,
  id = 59,
  disposition_ex = 64,
  rename_ex = 65,
  stat = 68,
  stat_lx = 70,
  case_sensitive = 71,
  link_ex = 72,
  posix = 100,
};

/// Of QUERY_DIRECTORY.
enum class FindClass : uint8_t {
  directory = 0x01,
  full = 0x02,
  both = 0x03,
  names = 0x0C,
  id_both = 0x25,
  id_full = 0x26,
  id_extd = 0x3C,
  id_extd_both = 0x3F,
  id_64_extd = 0x4E,
  id_64_extd_both = 0x4F,
  id_all_extd = 0x50,
  id_all_extd_both = 0x51,
  posix = 0x64,
};

enum class FsInfoClass : uint8_t {
  volume = 1,
  label = 2,
  size = 3,
  device = 4,
  attribute = 5,
  control = 6,
  full_size = 7,
  object_id = 8,
  driver_path = 9,
  volume_flags = 10,
  sector_size = 11,
  posix = 100,
};

}  // namespace isthmus::smb2
