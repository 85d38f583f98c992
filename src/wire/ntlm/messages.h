#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"

/// Messages of NTLMSSP as a server sees them (MS-NLMP section 2.2.1). What is read points into the message.
namespace isthmus::ntlm {

/// MS-NLMP section 2.2.2.5.
enum Flags : uint32_t {
  kUnicode = 0x1,
  kRequestTarget = 0x4,
  kSign = 0x10,
  kSeal = 0x20,
  kNtlm = 0x200,
  kOemDomainSupplied = 0x1000,
  kOemWorkstationSupplied = 0x2000,
  kAlwaysSign = 0x8000,
  kTargetTypeServer = 0x20000,
  kExtendedSessionSecurity = 0x80000,
  kTargetInfo = 0x800000,
  kVersion = 0x2000000,
  k128 = 0x20000000,
  kKeyExchange = 0x40000000,
  k56 = 0x80000000,
};

/// Identifiers of the pairs in a list of attributes (section 2.2.2.1).
enum class Av : uint16_t {
  end = 0,
  netbios_computer = 1,
  netbios_domain = 2,
  dns_computer = 3,
  dns_domain = 4,
  flags = 6,
  timestamp = 7,
};
constexpr uint32_t kAvHasMic = 0x2;  ///< in Av::flags of a client's response

/// Whether it begins as a message of NTLMSSP, of whatever type.
bool is_ntlmssp(Bytes token);

struct Negotiate {
  uint32_t flags = 0;
};
/// None: another message, or what it says it supplies lies outside of it.
std::optional<Negotiate> read_negotiate(Bytes message);

using ServerChallenge = std::array<std::byte, 8>;

/// What a server says it is called, UTF-8. Empty ones are left out.
struct Names {
  std::string netbios_computer, netbios_domain, dns_computer, dns_domain;
};

struct Challenge {
  uint32_t flags = 0;
  ServerChallenge challenge{};
  Names names;
  Time now;
};
/// Flags for the answer to a client that has sent these.
uint32_t challenge_flags(uint32_t client_flags);
/// None: a name is not UTF-8, or longer than the message can say.
std::optional<std::string> to_bytes(const Challenge& challenge);

struct Authenticate {
  Bytes lm_response, nt_response;
  Bytes domain, user, workstation;  ///< UTF-16
  Bytes encrypted_session_key;
  uint32_t flags = 0;
};
/// None: another message, or a field outside of it.
std::optional<Authenticate> read_authenticate(Bytes message);

constexpr size_t kMicOffset = 72, kMicSize = 16;  ///< in an AUTHENTICATE whose response says that it has a MIC

/// A client's proof that it knows the password (section 2.2.2.8): HMAC over the server's challenge and the blob.
struct Ntlmv2Response {
  Bytes proof, blob;
  uint32_t av_flags = 0;
};
/// None: not of that form, which includes the 24 bytes of NTLMv1; or its list of attributes does not end.
std::optional<Ntlmv2Response> read_ntlmv2_response(Bytes response);
constexpr size_t kNtlmv1Response = 24;  // bytes

}  // namespace isthmus::ntlm
