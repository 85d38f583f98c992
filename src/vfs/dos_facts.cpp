#include "vfs/dos_facts.h"

#include <fmt/format.h>

#include <charconv>

#include "base/endian.h"

namespace isthmus {
namespace {

constexpr uint32_t kDosHasAttributes = 0x1, kDosHasCreation = 0x10;  // valid_flags

}  // namespace

DosFacts read_dos_facts(std::string_view value) {
  DosFacts facts;
  if (value.starts_with("0x")) {
    uint32_t bits = 0;
    const auto [end, ec] = std::from_chars(value.data() + 2, value.data() + value.size(), bits, 16);
    if (ec == std::errc{}) facts.attributes = bits;
    return facts;
  }
  // NDR of Samba's xattr_DOSATTRIB: an empty string, the version, the arm's number, then valid_flags and attrib.
  const Bytes bytes = as_bytes(value);
  const auto version = load_le<uint16_t>(bytes, 2);
  if (value.empty() || value[0] != '\0' || !version || *version < 3 || *version > 5) return facts;
  const uint32_t valid = load_le<uint32_t>(bytes, 8).value_or(0);
  if (valid & kDosHasAttributes) facts.attributes = load_le<uint32_t>(bytes, 12);
  if (valid & kDosHasCreation) facts.creation = load_le<uint64_t>(bytes, *version == 3 ? 36 : *version == 4 ? 24 : 16);
  return facts;
}

std::string write_dos_facts(const DosFacts& facts) {
  if (!facts.creation) return fmt::format("{:#x}", facts.attributes.value_or(0));
  // Version 3, which all of Samba's and ksmbd read.
  std::string value;
  append_le<uint16_t>(value, 0);
  append_le<uint16_t>(value, 3);
  append_le<uint32_t>(value, 3);
  append_le<uint32_t>(value, kDosHasCreation | (facts.attributes ? kDosHasAttributes : 0));
  append_le<uint32_t>(value, facts.attributes.value_or(0));
  value.append(4 + 8 + 8, '\0');  // sizes, which are not told
  append_le<uint64_t>(value, *facts.creation);
  append_le<uint64_t>(value, 0);
  return value;
}

}  // namespace isthmus
