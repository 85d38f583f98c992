#include "wire/fuse/flags.h"

#include <string_view>

namespace isthmus::wire::fuse {
namespace {

std::string_view name_of_bit(unsigned bit) {
  switch (bit) {
#define X(constant, number, name, since) \
  case number:                           \
    return name;
#include "wire/fuse/init_flags.def"
#undef X
    default:
      return {};
  }
}

}  // namespace

std::string init_flag_names(uint64_t flags) {
  std::string out;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((flags >> bit & 1) == 0) continue;
    if (!out.empty()) out += ' ';
    const std::string_view name = name_of_bit(bit);
    if (name.empty()) {
      out += "bit" + std::to_string(bit);
    } else {
      out += name;
    }
  }
  return out;
}

}  // namespace isthmus::wire::fuse
