#include "wire/spnego/acceptor.h"

#include <gtest/gtest.h>

#include "wire/ntlm/signing.h"
#include "wire/ntlm/test_client.h"
#include "wire/spnego/der.h"

namespace isthmus::spnego {
namespace {

using ntlm::Sender;
using ntlm::Signing;
using ntlm::test::Client;
using State = Acceptor::State;

constexpr std::string_view kKerberos = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
constexpr ntlm::ServerChallenge kChallenge{std::byte{1}, std::byte{2}, std::byte{3}};

ntlm::Settings settings() {
  ntlm::Settings s;
  s.names = {"SERVER", "SERVER", "server", ""};
  s.account = [](std::string_view user, std::string_view) {
    return user == "User" ? ntlm::nt_hash("Password") : std::nullopt;
  };
  return s;
}

/// A client that speaks SPNEGO with these mechanisms.
struct Peer {
  ntlm::Settings s = settings();
  Acceptor acceptor{s, kChallenge, Time{1'700'000'000, 0}};
  Client client = {};
  std::string hello = ntlm::test::negotiate();
  std::string list = {};

  Acceptor::Answer begin(std::initializer_list<std::string_view> mechs, std::optional<std::string> token) {
    std::string types;
    for (auto mech : mechs) types += to_der(der::kObject, mech);
    list = to_der(der::kSequence, types);
    std::string fields = to_der(der::context(0), list);
    if (token) fields += to_der(der::context(2), to_der(der::kOctets, *token));
    return acceptor.step(
        as_bytes(to_der(der::kApplication0, to_der(der::kObject, "\x2b\x06\x01\x05\x05\x02") +
                                                to_der(der::context(0), to_der(der::kSequence, fields)))));
  }
  Acceptor::Answer send(std::string_view token, std::optional<std::string> mic = {}) {
    NegTokenResp resp{.response_token = as_bytes(token)};
    if (mic) resp.mech_list_mic = as_bytes(*mic);
    return acceptor.step(as_bytes(to_bytes(resp)));
  }
  std::string authenticate(const Acceptor::Answer& challenged) {
    auto resp = read_resp(as_bytes(challenged.token));
    return resp && resp->response_token ? client.authenticate(hello, as_text(*resp->response_token)) : std::string();
  }
  std::string mic(Sender sender) const {
    return *Signing::start(client.session_key, client.flags, sender)->sign(as_bytes(list));
  }
};

NegState state_of(const std::string& token) {
  auto resp = read_resp(as_bytes(token));
  return resp && resp->state ? *resp->state : NegState::reject;
}

TEST(Acceptor, FavouriteIsNtlm) {
  Peer peer;
  auto answer = peer.begin({kNtlmssp}, peer.hello);
  EXPECT_EQ(answer.state, State::go_on);
  EXPECT_EQ(state_of(answer.token), NegState::accept_incomplete);
  EXPECT_EQ(as_text(*read_resp(as_bytes(answer.token))->supported_mech), kNtlmssp);
  EXPECT_EQ(peer.acceptor.logon(), nullptr);
  answer = peer.send(peer.authenticate(answer));
  EXPECT_EQ(answer.state, State::accepted);
  EXPECT_EQ(answer.token, to_bytes({.state = NegState::accept_completed}));
  ASSERT_TRUE(peer.acceptor.logon());
  EXPECT_EQ(peer.acceptor.logon()->user, "User");
  EXPECT_EQ(peer.acceptor.logon()->session_key, peer.client.session_key);
  EXPECT_EQ(peer.send("more").why, err(EPROTO));
}

TEST(Acceptor, MicIsCheckedAndAnswered) {
  Peer peer;
  auto answer = peer.begin({kNtlmssp, kKerberos}, peer.hello);
  const std::string message = peer.authenticate(answer);
  answer = peer.send(message, peer.mic(Sender::client));
  EXPECT_EQ(answer.state, State::accepted);
  auto resp = read_resp(as_bytes(answer.token));
  ASSERT_TRUE(resp && resp->mech_list_mic);
  EXPECT_EQ(as_text(*resp->mech_list_mic), peer.mic(Sender::server));

  Peer wrong;
  answer = wrong.begin({kNtlmssp}, wrong.hello);
  const std::string again = wrong.authenticate(answer);
  answer = wrong.send(again, wrong.mic(Sender::server));
  EXPECT_EQ(answer.state, State::refused);
  EXPECT_EQ(answer.why, err(EBADMSG));
  EXPECT_EQ(state_of(answer.token), NegState::reject);
  EXPECT_EQ(wrong.acceptor.logon(), nullptr);
}

TEST(Acceptor, AnotherFavouriteNeedsTheMic) {
  for (bool has_mic : {true, false}) {
    Peer peer;
    auto answer = peer.begin({kKerberos, kNtlmssp}, "a ticket");
    EXPECT_EQ(answer.state, State::go_on);
    EXPECT_EQ(state_of(answer.token), NegState::request_mic);
    EXPECT_FALSE(read_resp(as_bytes(answer.token))->response_token);
    answer = peer.send(peer.hello);
    EXPECT_EQ(state_of(answer.token), NegState::accept_incomplete);
    const std::string message = peer.authenticate(answer);
    answer = has_mic ? peer.send(message, peer.mic(Sender::client)) : peer.send(message);
    EXPECT_EQ(answer.state, has_mic ? State::accepted : State::refused);
  }
}

TEST(Acceptor, ListWithoutToken) {
  Peer peer;
  auto answer = peer.begin({kNtlmssp}, {});
  EXPECT_EQ(state_of(answer.token), NegState::accept_incomplete);
  answer = peer.send(peer.hello);
  EXPECT_EQ(peer.send(peer.authenticate(answer)).state, State::accepted);
}

TEST(Acceptor, Bare) {
  Peer peer;
  auto answer = peer.acceptor.step(as_bytes(peer.hello));
  EXPECT_EQ(answer.state, State::go_on);
  answer = peer.acceptor.step(as_bytes(peer.client.authenticate(peer.hello, answer.token)));
  EXPECT_EQ(answer.state, State::accepted);
  EXPECT_EQ(answer.token, "");
  EXPECT_EQ(peer.acceptor.logon()->session_key, peer.client.session_key);

  Peer wrong{.client = {.password = "x"}};
  answer = wrong.acceptor.step(as_bytes(wrong.hello));
  answer = wrong.acceptor.step(as_bytes(wrong.client.authenticate(wrong.hello, answer.token)));
  EXPECT_EQ(answer.why, err(EACCES));
  EXPECT_EQ(answer.token, "");
}

TEST(Acceptor, Refuses) {
  Peer kerberos;
  auto answer = kerberos.begin({kKerberos}, "a ticket");
  EXPECT_EQ(answer.why, err(ENOTSUP));
  EXPECT_EQ(answer.token, to_bytes({.state = NegState::reject}));

  Peer wrong{.client = {.password = "x"}};
  answer = wrong.begin({kNtlmssp}, wrong.hello);
  answer = wrong.send(wrong.authenticate(answer));
  EXPECT_EQ(answer.state, State::refused);
  EXPECT_EQ(answer.why, err(EACCES));
  EXPECT_EQ(state_of(answer.token), NegState::reject);

  for (std::string_view token : {"", "x", "NTLMSSP", "\x60\x03\x06\x01\x01"}) {
    Peer peer;
    EXPECT_EQ(peer.acceptor.step(as_bytes(token)).why, err(EBADMSG));
    EXPECT_EQ(peer.acceptor.step(as_bytes(peer.hello)).why, err(EPROTO));
  }
  // Tokens of the two forms do not mix.
  Peer mixed;
  answer = mixed.begin({kNtlmssp}, mixed.hello);
  EXPECT_EQ(mixed.acceptor.step(as_bytes(mixed.authenticate(answer))).why, err(EBADMSG));
}

}  // namespace
}  // namespace isthmus::spnego
