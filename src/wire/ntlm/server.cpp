#include "wire/ntlm/server.h"

#include <algorithm>
#include <utility>

#include "base/endian.h"
#include "base/utf16.h"
#include "wire/ntlm/md4.h"
#include "wire/ntlm/rc4.h"

namespace isthmus::ntlm {
namespace {

constexpr uint32_t kNeeded = kUnicode | kExtendedSessionSecurity;

bool is_anonymous(const Authenticate& message) {
  // An empty LM response is one byte of zero (MS-NLMP section 3.2.5.1.2).
  return message.user.empty() && message.nt_response.empty() &&
         (message.lm_response.empty() || (message.lm_response.size() == 1 && message.lm_response[0] == std::byte{0}));
}

/// None: the field for it has another size.
std::optional<Key> exported_key(const Authenticate& message, uint32_t flags, const Key& exchange_key) {
  if (!(flags & kKeyExchange)) return exchange_key;
  // Keys are exchanged for signing or sealing; clients that want neither may say so and send none.
  if (message.encrypted_session_key.empty() && !(flags & (kSign | kSeal))) return exchange_key;
  Key key;
  if (message.encrypted_session_key.size() != key.bytes().size()) return std::nullopt;
  std::copy(message.encrypted_session_key.begin(), message.encrypted_session_key.end(), key.bytes().begin());
  Rc4(exchange_key.bytes()).apply(key.bytes());
  return key;
}

}  // namespace

std::optional<Key> nt_hash(std::string_view password) {
  auto wide = utf16_of(password);
  if (!wide) return std::nullopt;
  Key key = md4(as_bytes(*wide));
  wipe(std::as_writable_bytes(std::span(*wide)));
  return key;
}

uint32_t upper_case_ascii(uint32_t unit) { return unit >= 'a' && unit <= 'z' ? unit - 'a' + 'A' : unit; }

std::optional<Key> ntowfv2(const Key& nt_hash, Bytes user, Bytes domain, UpperCase upper) {
  std::string upper_user;
  for (size_t i = 0; i + 2 <= user.size(); i += 2) {
    const uint16_t unit = *load_le<uint16_t>(user, i);
    const uint32_t raised = upper(unit);
    append_le<uint16_t>(upper_user, raised <= 0xffff ? static_cast<uint16_t>(raised) : unit);
  }
  return hmac_md5(nt_hash.bytes(), {as_bytes(upper_user), domain});
}

Result<std::string> Server::challenge(Bytes message) {
  if (std::exchange(stage_, Stage::over) != Stage::start) return err(EPROTO);
  auto negotiate = read_negotiate(message);
  if (!negotiate) return err(EBADMSG);
  if ((negotiate->flags & kNeeded) != kNeeded) return err(ENOTSUP);
  challenge_.flags = challenge_flags(negotiate->flags);
  auto text = to_bytes(challenge_);
  if (!text) return err(EINVAL);
  negotiate_text_ = as_text(message);
  challenge_text_ = std::move(*text);
  stage_ = Stage::challenged;
  return challenge_text_;
}

Status Server::check_user(const Authenticate& message, Logon& logon, Key& exchange_key, uint32_t& av_flags) const {
  if (message.nt_response.size() == kNtlmv1Response) return err(ENOTSUP);
  if (message.nt_response.empty()) return err(EACCES);  // LM alone
  auto response = read_ntlmv2_response(message.nt_response);
  if (!response) return err(EBADMSG);
  auto hash = settings_.account ? settings_.account(logon.user, logon.domain) : std::nullopt;
  // The same work for a name that is not known, so that the time does not tell.
  auto key = ntowfv2(hash.value_or(Key()), message.user, message.domain, settings_.upper);
  if (!key) return err(ENOSYS);
  auto proof = hmac_md5(key->bytes(), {challenge_.challenge, response->blob});
  if (!proof) return err(ENOSYS);
  const bool proven = constant_time_equal(proof->bytes(), response->proof);
  if (!hash || !proven) return err(EACCES);
  auto base_key = hmac_md5(key->bytes(), {proof->bytes()});
  if (!base_key) return err(ENOSYS);
  exchange_key = *base_key;
  av_flags = response->av_flags;
  return Unit{};
}

Status Server::check_mic(Bytes message, const Key& exported) const {
  if (message.size() < kMicOffset + kMicSize) return err(EBADMSG);
  constexpr Digest kNoMic{};
  auto mic = hmac_md5(exported.bytes(), {as_bytes(negotiate_text_), as_bytes(challenge_text_),
                                         message.first(kMicOffset), kNoMic, message.subspan(kMicOffset + kMicSize)});
  if (!mic) return err(ENOSYS);
  if (!constant_time_equal(mic->bytes(), message.subspan(kMicOffset, kMicSize))) return err(EBADMSG);
  return Unit{};
}

Result<Logon> Server::authenticate(Bytes text) {
  if (std::exchange(stage_, Stage::over) != Stage::challenged) return err(EPROTO);
  auto message = read_authenticate(text);
  if (!message) return err(EBADMSG);
  Logon logon;
  logon.flags = message->flags & challenge_.flags;
  if ((logon.flags & kNeeded) != kNeeded) return err(ENOTSUP);
  auto user = utf8_of(message->user), domain = utf8_of(message->domain), workstation = utf8_of(message->workstation);
  if (!user || !domain || !workstation) return err(EBADMSG);
  logon.user = std::move(*user);
  logon.domain = std::move(*domain);
  logon.workstation = std::move(*workstation);

  Key exchange_key;  // zeros for anonymous ones
  uint32_t av_flags = 0;
  if (is_anonymous(*message)) {
    if (!settings_.anonymous) return err(EACCES);
    logon.kind = Logon::Kind::anonymous;
  } else if (auto known = check_user(*message, logon, exchange_key, av_flags); !known) {
    return known.error();
  }
  auto exported = exported_key(*message, logon.flags, exchange_key);
  if (!exported) return err(EBADMSG);
  logon.session_key = *exported;
  if (av_flags & kAvHasMic) {
    if (auto whole = check_mic(text, *exported); !whole) return whole.error();
    logon.has_mic = true;
  }
  return logon;
}

}  // namespace isthmus::ntlm
