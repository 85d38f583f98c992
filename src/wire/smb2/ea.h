#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

/// Extended attributes (MS-FSCC section 2.4.16).
namespace isthmus::smb2 {

struct Ea {
  static constexpr uint8_t kNeeded = 0x80;  // flags: who does not know the attribute must not open the file
  uint8_t flags = 0;
  std::string name;   ///< at most 255 bytes
  std::string value;  ///< at most 65535 bytes; empty, when it is set: remove it

  bool operator==(const Ea&) const = default;
};

/// Of SET_INFO and of the context ExtA. None: malformed (ea_list_inconsistent).
std::optional<std::vector<Ea>> read_ea_list(Bytes list, size_t most = 4096);
/// Attributes with names or values that are too long are left out. No attributes: empty.
std::string write_ea_list(const std::vector<Ea>& list);
/// Size in that list of one attribute, with what separates it from the next.
size_t ea_size(const Ea& ea);

/// Names that a QUERY_INFO asks for (MS-FSCC section 2.4.16.1).
std::optional<std::vector<std::string_view>> read_ea_names(Bytes list, size_t most = 4096);

}  // namespace isthmus::smb2
