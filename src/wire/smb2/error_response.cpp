#include "wire/smb2/error_response.h"

#include "base/endian.h"
#include "wire/smb2/header.h"

namespace isthmus::smb2 {
namespace {

constexpr uint16_t kErrorSize = 9;
constexpr size_t kErrorFixed = 8, kErrorContextHead = 8;  // bytes

}  // namespace

std::string write_error(Dialect dialect, Bytes data) {
  const bool context = dialect == Dialect::smb311 && !data.empty();
  std::string out;
  append_le<uint16_t>(out, kErrorSize);
  append_le<uint8_t>(out, context ? 1 : 0);
  append_le<uint8_t>(out, 0);
  append_le<uint32_t>(out, static_cast<uint32_t>(data.size() + (context ? kErrorContextHead : 0)));
  if (context) {
    append_le<uint32_t>(out, static_cast<uint32_t>(data.size()));
    append_le<uint32_t>(out, 0);
  }
  out += as_text(data);
  if (data.empty()) out += '\0';
  return out;
}

std::string write_symlink_error(Bytes reparse, uint16_t unparsed) {
  constexpr uint32_t kTag = 0x4C4D5953;  // "SYML"
  constexpr size_t kUnparsedAt = 14;     // where the reparse buffer has its reserved field
  std::string out;
  append_le<uint32_t>(out, static_cast<uint32_t>(4 + reparse.size()));
  append_le<uint32_t>(out, kTag);
  out += as_text(reparse);
  if (out.size() >= kUnparsedAt + 2) {
    out[kUnparsedAt] = static_cast<char>(unparsed & 0xff);
    out[kUnparsedAt + 1] = static_cast<char>(unparsed >> 8);
  }
  return out;
}

std::optional<Bytes> read_error(Bytes message) {
  if (message.size() < kHeader + kErrorFixed + 1) return std::nullopt;
  const Bytes body = message.subspan(kHeader);
  Bytes data = body.subspan(kErrorFixed);
  const uint8_t contexts = *load_le<uint8_t>(body, 2);
  const uint32_t size = *load_le<uint32_t>(body, 4);
  if (load_le<uint16_t>(body, 0) != kErrorSize || size > data.size() || contexts > 1) return std::nullopt;
  data = data.first(size);
  if (contexts == 0) return data;
  if (size < kErrorContextHead || load_le<uint32_t>(data, 0) != size - kErrorContextHead) return std::nullopt;
  return data.subspan(kErrorContextHead);
}

}  // namespace isthmus::smb2
