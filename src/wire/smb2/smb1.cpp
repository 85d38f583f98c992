#include "wire/smb2/smb1.h"

#include "base/endian.h"
#include "wire/smb2/header.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kSmb1Header = 32;  // bytes
constexpr uint8_t kSmb1Negotiate = 0x72, kDialectString = 2;

}  // namespace

std::optional<Dialect> read_smb1_negotiate(Bytes frame) {
  const auto words = load_le<uint8_t>(frame, kSmb1Header);
  const auto size = load_le<uint16_t>(frame, kSmb1Header + 1);
  if (protocol_of(frame) != Protocol::smb1 || load_le<uint8_t>(frame, 4) != kSmb1Negotiate || words != 0 || !size)
    return std::nullopt;
  std::string_view rest = as_text(frame.subspan(kSmb1Header + 3));
  if (*size > rest.size()) return std::nullopt;
  rest = rest.substr(0, *size);
  std::optional<Dialect> answer;
  while (!rest.empty()) {
    const size_t end = rest.find('\0', 1);
    if (rest.front() != kDialectString || end == std::string_view::npos) return std::nullopt;
    const std::string_view name = rest.substr(1, end - 1);
    if (name == "SMB 2.???") answer = Dialect::any;
    if (name == "SMB 2.002" && !answer) answer = Dialect::smb202;
    rest.remove_prefix(end + 1);
  }
  return answer;
}

}  // namespace isthmus::smb2
