#include "wire/smb2/io.h"

namespace isthmus::smb2 {

std::string read_response_head(uint32_t length) {
  std::string out;
  append_le<uint16_t>(out, 17);
  append_le<uint16_t>(out, kHeader + kReadResponseHead);
  append_le<uint32_t>(out, length);
  append_le<uint64_t>(out, 0);
  return out;
}

}  // namespace isthmus::smb2
