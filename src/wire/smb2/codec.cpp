#include "wire/smb2/codec.h"

namespace isthmus::smb2 {

std::optional<std::vector<uint16_t>> read_numbers(Bytes from, size_t offset, size_t count) {
  if (offset > from.size() || count > (from.size() - offset) / 2) return std::nullopt;
  std::vector<uint16_t> found;
  for (size_t i = 0; i < count; i++) found.push_back(*load_le<uint16_t>(from, offset + 2 * i));
  return found;
}

void append_numbers(std::string& to, const std::vector<uint16_t>& numbers) {
  for (uint16_t n : numbers) append_le<uint16_t>(to, n);
}

}  // namespace isthmus::smb2
