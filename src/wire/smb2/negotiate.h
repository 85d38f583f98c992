#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "wire/smb2/codes.h"
#include "wire/smb2/status.h"

namespace isthmus::smb2 {

/// Negotiate contexts of 3.1.1 (section 2.2.3.1). Others, as netname, compression and RDMA, are not looked at.
struct NegotiateContexts {
  std::vector<uint16_t> hashes;  ///< preauthentication: at least one, of a response exactly one
  Bytes salt;
  /// Cipher and SigningAlgorithm by preference; empty: no such context. A response has one of each that was asked for:
  /// Cipher::none if there is none in common.
  std::vector<uint16_t> ciphers, signing;
  bool posix = false;  ///< SMB 3 POSIX extensions, context 0x100

  friend bool operator==(const NegotiateContexts& a, const NegotiateContexts& b) {
    return a.hashes == b.hashes && as_text(a.salt) == as_text(b.salt) && a.ciphers == b.ciphers &&
           a.signing == b.signing && a.posix == b.posix;
  }
};

/// Section 2.2.3.
struct NegotiateRequest {
  uint16_t security_mode = 0;
  uint32_t capabilities = 0;
  Guid client_guid{};
  std::vector<uint16_t> dialects;  ///< at least one, 64 at most
  NegotiateContexts contexts;      ///< if 3.1.1 is among the dialects

  bool offers(Dialect d) const;
  bool operator==(const NegotiateRequest&) const = default;
};

/// `message` begins at the header; the salt views it. None: malformed, to be answered by invalid_parameter (section
/// 3.3.5.4): also if a context that we know comes twice, is empty, or the one of preauthentication is missing.
std::optional<NegotiateRequest> read_negotiate_request(Bytes message);
/// The body, as a client writes it.
std::string write_negotiate_request(const NegotiateRequest& m);

/// Section 2.2.4.
struct NegotiateResponse {
  uint16_t security_mode = 0;
  Dialect dialect = Dialect::smb311;
  Guid server_guid{};
  uint32_t capabilities = 0;
  uint32_t max_transact = 0, max_read = 0, max_write = 0;  ///< bytes
  uint64_t system_time = 0;                                ///< FILETIME: 100 ns since 1601; the start time is always 0
  Bytes token;                                             ///< SPNEGO's hint
  NegotiateContexts contexts;                              ///< of 3.1.1
};

std::string write_negotiate_response(const NegotiateResponse& m);
std::optional<NegotiateResponse> read_negotiate_response(Bytes message);

}  // namespace isthmus::smb2
