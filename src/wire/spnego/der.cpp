#include "wire/spnego/der.h"

namespace isthmus::spnego {
namespace {

constexpr size_t kLongForm = 0x80;
constexpr size_t kMaxLengthBytes = 4;

}  // namespace

std::optional<Element> DerReader::peek() const {
  if (rest_.size() < 2) return std::nullopt;
  const auto tag = std::to_integer<uint8_t>(rest_[0]);
  if ((tag & 0x1f) == 0x1f) return std::nullopt;  // more bytes of the tag follow
  size_t size = std::to_integer<size_t>(rest_[1]), header = 2;
  if (size >= kLongForm) {
    const size_t bytes = size - kLongForm;
    if (bytes == 0 || bytes > kMaxLengthBytes || rest_.size() - header < bytes) return std::nullopt;
    if (rest_[header] == std::byte{0}) return std::nullopt;
    size = 0;
    for (size_t i = 0; i < bytes; i++) size = size << 8 | std::to_integer<size_t>(rest_[header + i]);
    if (size < kLongForm) return std::nullopt;
    header += bytes;
  }
  if (rest_.size() - header < size) return std::nullopt;
  return Element{tag, rest_.subspan(header, size), rest_.first(header + size)};
}

std::optional<Element> DerReader::next() {
  auto element = peek();
  if (element) rest_ = rest_.subspan(element->whole.size());
  return element;
}

std::optional<Element> DerReader::next(uint8_t tag) {
  auto element = peek();
  if (!element || element->tag != tag) return std::nullopt;
  return next();
}

std::optional<Element> only(Bytes from, uint8_t tag) {
  DerReader reader(from);
  auto element = reader.next(tag);
  return reader.at_end() ? element : std::nullopt;
}

std::string to_der(uint8_t tag, std::string_view contents) {
  std::string out(1, static_cast<char>(tag));
  const size_t size = contents.size();
  if (size < kLongForm) {
    out += static_cast<char>(size);
  } else {
    size_t bytes = 1;
    while (bytes < sizeof size && size >> 8 * bytes != 0) bytes++;
    out += static_cast<char>(kLongForm | bytes);
    while (bytes-- > 0) out += static_cast<char>(size >> 8 * bytes & 0xff);
  }
  return out += contents;
}

}  // namespace isthmus::spnego
