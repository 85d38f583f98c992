#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What Windows keeps of a file besides POSIX attributes. Pure, any thread.
namespace isthmus {

/// The extended attribute that has it, as Samba's and ksmbd's do.
constexpr std::string_view kDosXattr = "user.DOSATTRIB";

struct DosFacts {
  std::optional<uint32_t> attributes;  ///< bits of FILE_ATTRIBUTE_* (MS-FSCC section 2.6)
  std::optional<uint64_t> creation;    ///< FILETIME; of a file system that cannot set it
  friend bool operator==(const DosFacts&, const DosFacts&) = default;
};
/// Samba's text form ("0x22") and its binary ones of versions 3 to 5. Of anything else nothing is known.
DosFacts read_dos_facts(std::string_view value);
/// Text where that will do.
std::string write_dos_facts(const DosFacts& facts);

}  // namespace isthmus
