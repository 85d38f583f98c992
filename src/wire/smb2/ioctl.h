#pragma once
#include "wire/smb2/codec.h"
#include "wire/smb2/fsctl_codes.h"

namespace isthmus::smb2 {

/// Section 2.2.31.
struct IoctlRequest {
  static constexpr uint32_t kIsFsctl = 1;  ///< Flags: all that servers know
  uint32_t code = 0;
  FileId file_id;
  Bytes input;
  uint32_t max_input = 0;
  Bytes output;
  uint32_t max_output = 0, flags = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(57);
    c.reserved(2);
    c.number(m.code);
    c.id(m.file_id);
    c.template buffer<uint32_t>(m.input);
    c.number(m.max_input);
    c.template buffer<uint32_t>(m.output);
    c.number(m.max_output);
    c.number(m.flags);
    c.reserved(4);
  }
};

/// Section 2.2.32.
struct IoctlResponse {
  uint32_t code = 0;
  FileId file_id;
  Bytes input, output;
  uint32_t flags = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(49);
    c.reserved(2);
    c.number(m.code);
    c.id(m.file_id);
    c.template buffer<uint32_t>(m.input);
    c.template buffer<uint32_t>(m.output);
    c.number(m.flags);
    c.reserved(4);
  }
};

/// Input of FSCTL_VALIDATE_NEGOTIATE_INFO (section 2.2.31.4): what a client of 3.0 or 3.0.2 said in its NEGOTIATE. If
/// it is not what the server heard, the connection ends (section 3.3.5.15.12).
struct ValidateNegotiateRequest {
  uint32_t capabilities = 0;
  Guid client_guid{};
  uint16_t security_mode = 0;
  std::vector<uint16_t> dialects;

  bool operator==(const ValidateNegotiateRequest&) const = default;
};
std::optional<ValidateNegotiateRequest> read_validate_negotiate(Bytes input);
std::string write_validate_negotiate(const ValidateNegotiateRequest& m);

/// Output (section 2.2.32.6): what the server said in its NEGOTIATE response.
struct ValidateNegotiateResponse {
  uint32_t capabilities = 0;
  Guid server_guid{};
  uint16_t security_mode = 0;
  Dialect dialect = Dialect::smb300;
};
std::string write_validate_negotiate(const ValidateNegotiateResponse& m);

}  // namespace isthmus::smb2
