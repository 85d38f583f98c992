#include "windows/fold.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"

namespace isthmus::windows {
namespace {

constexpr uint32_t kByte = 0x110000;

}  // namespace

uint32_t upper_case(uint32_t character) {
  if (character < 0x80) return character >= 'a' && character <= 'z' ? character - 0x20 : character;
  if (character >= kByte) return character;
  // Sharp s has a capital in Unicode, and none in file systems: both are names there.
  if (character == 0xdf) return character;
  return static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character)));
}

std::vector<uint32_t> characters_of(std::string_view name) {
  std::vector<uint32_t> all;
  all.reserve(name.size());
  while (!name.empty()) {
    const size_t n = utf8_sequence(name);
    utf8proc_int32_t c = 0;
    if (n == 0)
      c = static_cast<utf8proc_int32_t>(kByte + static_cast<unsigned char>(name[0]));
    else
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(name.data()), static_cast<utf8proc_ssize_t>(n), &c);
    all.push_back(static_cast<uint32_t>(c));
    name.remove_prefix(std::max<size_t>(n, 1));
  }
  return all;
}

std::string fold_case(std::string_view name) {
  std::string key;
  key.reserve(name.size());
  for (uint32_t c : characters_of(name)) {
    c = upper_case(c);
    if (c >= kByte) {
      key += static_cast<char>(c - kByte);
      continue;
    }
    utf8proc_uint8_t bytes[4];
    const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
    key.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
  }
  return key;
}

bool same_but_case(std::string_view a, std::string_view b) { return a == b || fold_case(a) == fold_case(b); }

}  // namespace isthmus::windows
