#include "wire/spnego/acceptor.h"

#include <algorithm>

#include "wire/ntlm/signing.h"

namespace isthmus::spnego {

Acceptor::Answer Acceptor::refuse(Errno why) {
  expects_ = Expects::nothing;
  return {State::refused, bare_ ? std::string() : to_bytes(NegTokenResp{.state = NegState::reject}), why};
}

Acceptor::Answer Acceptor::step(Bytes token) {
  if (token.size() > kMaxToken) return refuse(err(EBADMSG));
  if (expects_ == Expects::nothing) return refuse(err(EPROTO));
  if (expects_ == Expects::first) {
    bare_ = ntlm::is_ntlmssp(token);
    return bare_ ? bare(token) : first(token);
  }
  if (bare_) return bare(token);
  auto resp = read_resp(token);
  if (!resp || resp->state == NegState::reject) return refuse(err(EBADMSG));
  if (expects_ == Expects::authenticate) return authenticate(*resp);
  if (!resp->response_token) return refuse(err(EBADMSG));
  return challenge(*resp->response_token, {.state = NegState::accept_incomplete});
}

Acceptor::Answer Acceptor::bare(Bytes message) {
  if (expects_ == Expects::first) {
    auto text = ntlm_.challenge(message);
    if (!text) return refuse(text.error());
    expects_ = Expects::authenticate;
    return {State::go_on, std::move(*text), {}};
  }
  auto logon = ntlm_.authenticate(message);
  if (!logon) return refuse(logon.error());
  logon_ = std::move(*logon);
  expects_ = Expects::nothing;
  return {State::accepted, {}, {}};
}

Acceptor::Answer Acceptor::first(Bytes token) {
  auto init = read_init(token);
  if (!init) return refuse(err(EBADMSG));
  const auto& types = init->mech_types;
  const auto ours = std::find_if(types.begin(), types.end(), [](Bytes type) { return as_text(type) == kNtlmssp; });
  if (ours == types.end()) return refuse(err(ENOTSUP));
  mech_list_ = as_text(init->mech_list);
  mic_required_ = ours != types.begin();
  NegTokenResp resp{.state = mic_required_ ? NegState::request_mic : NegState::accept_incomplete,
                    .supported_mech = as_bytes(kNtlmssp)};
  // A token that came with the list is of the client's favourite.
  if (!mic_required_ && init->mech_token) return challenge(*init->mech_token, resp);
  expects_ = Expects::negotiate;
  return {State::go_on, to_bytes(resp), {}};
}

Acceptor::Answer Acceptor::challenge(Bytes negotiate, NegTokenResp resp) {
  auto text = ntlm_.challenge(negotiate);
  if (!text) return refuse(text.error());
  expects_ = Expects::authenticate;
  resp.response_token = as_bytes(*text);
  return {State::go_on, to_bytes(resp), {}};
}

Acceptor::Answer Acceptor::authenticate(const NegTokenResp& from_client) {
  if (!from_client.response_token) return refuse(err(EBADMSG));
  auto logon = ntlm_.authenticate(*from_client.response_token);
  if (!logon) return refuse(logon.error());
  // AUTHENTICATE is NTLM's last message, so the MIC, where one is due, comes with it.
  NegTokenResp resp{.state = NegState::accept_completed};
  std::string mic;
  if (from_client.mech_list_mic) {
    auto made = exchange_mic(*logon, *from_client.mech_list_mic);
    if (!made) return refuse(made.error());
    mic = std::move(*made);
    resp.mech_list_mic = as_bytes(mic);
  } else if (mic_required_) {
    return refuse(err(EBADMSG));
  }
  logon_ = std::move(*logon);
  expects_ = Expects::nothing;
  return {State::accepted, to_bytes(resp), {}};
}

Result<std::string> Acceptor::exchange_mic(const ntlm::Logon& logon, Bytes mic) const {
  using ntlm::Sender;
  auto theirs = ntlm::Signing::start(logon.session_key, logon.flags, Sender::client);
  auto ours = ntlm::Signing::start(logon.session_key, logon.flags, Sender::server);
  if (!theirs || !ours) return err(ENOSYS);
  if (!theirs->verify(as_bytes(mech_list_), mic)) return err(EBADMSG);
  auto made = ours->sign(as_bytes(mech_list_));
  if (!made) return err(ENOSYS);
  return std::move(*made);
}

}  // namespace isthmus::spnego
