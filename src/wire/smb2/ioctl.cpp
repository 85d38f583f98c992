#include "wire/smb2/ioctl.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kValidateFixed = 24;  // bytes

}  // namespace

std::optional<ValidateNegotiateRequest> read_validate_negotiate(Bytes input) {
  if (input.size() < kValidateFixed) return std::nullopt;
  ValidateNegotiateRequest m;
  m.capabilities = *load_le<uint32_t>(input, 0);
  std::copy_n(input.begin() + 4, m.client_guid.size(), m.client_guid.begin());
  m.security_mode = *load_le<uint16_t>(input, 20);
  auto dialects = read_numbers(input, kValidateFixed, *load_le<uint16_t>(input, 22));
  if (!dialects) return std::nullopt;
  m.dialects = std::move(*dialects);
  return m;
}

std::string write_validate_negotiate(const ValidateNegotiateRequest& m) {
  std::string out;
  append_le<uint32_t>(out, m.capabilities);
  out += as_text(m.client_guid);
  append_le<uint16_t>(out, m.security_mode);
  append_le<uint16_t>(out, static_cast<uint16_t>(m.dialects.size()));
  append_numbers(out, m.dialects);
  return out;
}

std::string write_validate_negotiate(const ValidateNegotiateResponse& m) {
  std::string out;
  append_le<uint32_t>(out, m.capabilities);
  out += as_text(m.server_guid);
  append_le<uint16_t>(out, m.security_mode);
  append_le<uint16_t>(out, static_cast<uint16_t>(m.dialect));
  return out;
}

}  // namespace isthmus::smb2
