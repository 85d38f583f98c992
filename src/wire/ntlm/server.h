#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/ntlm/key.h"
#include "wire/ntlm/messages.h"

namespace isthmus::ntlm {

/// MD4 of the password in UTF-16: what a server keeps in its place, and as secret. None: not UTF-8.
std::optional<Key> nt_hash(std::string_view password);

/// Upper case of a UTF-16 code unit, as Windows has it; windows::upper_case outside of tests.
using UpperCase = uint32_t (*)(uint32_t);
/// Of ASCII's letters only.
uint32_t upper_case_ascii(uint32_t unit);

/// HMAC key of NTLMv2's responses (NTOWFv2, MS-NLMP section 3.3.2). user and domain: UTF-16, as the client sent them.
std::optional<Key> ntowfv2(const Key& nt_hash, Bytes user, Bytes domain, UpperCase upper);

/// Who may log on, and how the server is called.
struct Settings {
  Names names;
  /// NT hash of an account, none if there is no such one. The names are UTF-8 as the client sent them: Windows compares
  /// them without case.
  std::function<std::optional<Key>(std::string_view user, std::string_view domain)> account;
  bool anonymous = false;  ///< lets those in who have neither name nor password
  UpperCase upper = upper_case_ascii;
};

struct Logon {
  enum class Kind : uint8_t { user, anonymous };
  Kind kind = Kind::user;
  std::string user, domain, workstation;  ///< UTF-8, as the client sent them
  Key session_key;                        ///< the exported session key; that of an anonymous logon is no secret
  uint32_t flags = 0;                     ///< agreed to
  bool has_mic = false;                   ///< the three messages were proven to be unchanged
};

/// The server's part of one logon by NTLMv2 (MS-NLMP section 3.2.5): NEGOTIATE in, CHALLENGE out, AUTHENTICATE in.
/// Errors: EBADMSG malformed, or changed on its way; ENOTSUP needs what we do not offer (NTLMv1, no Unicode, no
/// extended session security); EACCES no such account, wrong password, or anonymous where that is off; EPROTO out of
/// turn; ENOSYS no MD5. After an error the conversation is over.
class Server {
 public:
  /// challenge: random, never used before. now: for the client's response. settings: outlives this.
  Server(const Settings& settings, const ServerChallenge& challenge, Time now)
      : settings_(settings), challenge_{.challenge = challenge, .names = settings.names, .now = now} {}

  Result<std::string> challenge(Bytes negotiate);
  Result<Logon> authenticate(Bytes authenticate);

 private:
  Status check_user(const Authenticate& message, Logon& logon, Key& exchange_key, uint32_t& av_flags) const;
  Status check_mic(Bytes message, const Key& exported) const;

  const Settings& settings_;
  Challenge challenge_;
  std::string negotiate_text_, challenge_text_;  // what the MIC covers
  enum class Stage : uint8_t { start, challenged, over } stage_ = Stage::start;
};

}  // namespace isthmus::ntlm
