#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

/// Tokens of SPNEGO (RFC 4178 section 4.2, MS-SPNG section 2.2). What is read points into the token.
namespace isthmus::spnego {

/// 1.3.6.1.4.1.311.2.2.10, as in an OBJECT IDENTIFIER.
constexpr std::string_view kNtlmssp = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";

constexpr size_t kMaxToken = 64 << 10;  // bytes; a Kerberos ticket that we refuse may have as many

struct NegTokenInit {
  std::vector<Bytes> mech_types;  ///< identifiers, the client's favourite first
  Bytes mech_list;                ///< the same as DER, which mechListMIC covers
  std::optional<Bytes> mech_token, mech_list_mic;
};
/// None: malformed, too long, or another token. That of MS-SPNG (NegTokenInit2) is understood, its hints are not kept.
std::optional<NegTokenInit> read_init(Bytes token);

/// The server's first word, in SMB's NEGOTIATE response: we have NTLMSSP (NegTokenInit2).
std::string negotiate_hint();

enum class NegState : uint8_t { accept_completed = 0, accept_incomplete = 1, reject = 2, request_mic = 3 };

struct NegTokenResp {
  std::optional<NegState> state = {};
  std::optional<Bytes> supported_mech = {}, response_token = {}, mech_list_mic = {};
};
std::optional<NegTokenResp> read_resp(Bytes token);
std::string to_bytes(const NegTokenResp& token);

}  // namespace isthmus::spnego
