#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "wire/ntlm/server.h"
#include "wire/spnego/tokens.h"

namespace isthmus::spnego {

/// The server's part of one logon: NTLMSSP in SPNEGO (RFC 4178 section 5), or bare as Linux and small clients send it.
/// One for each logon; a client that logs on again gets another.
class Acceptor {
 public:
  enum class State : uint8_t { go_on, accepted, refused };
  struct Answer {
    State state = State::refused;
    std::string token;  ///< for the client, in each of the states; may be empty
    Errno why{};        ///< of refused, as ntlm::Server has them; EBADMSG also for a wrong mechListMIC
  };

  /// As ntlm::Server.
  Acceptor(const ntlm::Settings& settings, const ntlm::ServerChallenge& challenge, Time now)
      : ntlm_(settings, challenge, now) {}

  /// For each token of the client, until the answer is not go_on; afterwards EPROTO.
  Answer step(Bytes token);
  /// Who it is, once accepted.
  const ntlm::Logon* logon() const { return logon_ ? &*logon_ : nullptr; }

 private:
  Answer first(Bytes token);
  Answer challenge(Bytes negotiate, NegTokenResp resp);
  Answer authenticate(const NegTokenResp& from_client);
  Answer bare(Bytes message);
  Answer refuse(Errno why);
  /// None: EBADMSG or ENOSYS. Ours, if the client sent a right one.
  Result<std::string> exchange_mic(const ntlm::Logon& logon, Bytes mic) const;

  ntlm::Server ntlm_;
  enum class Expects : uint8_t { first, negotiate, authenticate, nothing } expects_ = Expects::first;
  bool bare_ = false;
  bool mic_required_ = false;  // the client would have liked another mechanism better
  std::string mech_list_;      // as the client sent it
  std::optional<ntlm::Logon> logon_;
};

}  // namespace isthmus::spnego
