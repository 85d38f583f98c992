#include "wire/ntlm/server.h"

#include <gtest/gtest.h>

#include "wire/ntlm/test_client.h"

namespace isthmus::ntlm {
namespace {

using test::Client;
using test::key_of;

constexpr Time kNow{1'700'000'000, 123'456'700};

ServerChallenge challenge_of(std::string_view bytes) {
  ServerChallenge out{};
  std::transform(bytes.begin(), bytes.end(), out.begin(), [](char c) { return static_cast<std::byte>(c); });
  return out;
}
const ServerChallenge kChallenge = challenge_of("\x01\x23\x45\x67\x89\xab\xcd\xef");

Settings settings() {
  Settings s;
  s.names = {"SERVER", "DOMAIN", "server.example", "example"};
  s.account = [](std::string_view user, std::string_view) {
    return user == "User" ? nt_hash("Password") : std::nullopt;
  };
  return s;
}

/// code() of the logon, and the logon.
Result<Logon> log_on(Client client, const Settings& s = settings(), uint32_t asks = test::kClientFlags) {
  Server server(s, kChallenge, kNow);
  const std::string hello = test::negotiate(asks);
  auto challenge = server.challenge(as_bytes(hello));
  if (!challenge) return challenge.error();
  return server.authenticate(as_bytes(client.authenticate(hello, *challenge)));
}

// MS-NLMP sections 4.2.1 and 4.2.4.
TEST(Ntlm, VectorsOfMsNlmp) {
  const std::string user = *utf16_of("User"), domain = *utf16_of("Domain");
  EXPECT_EQ(*nt_hash("Password"), key_of("\xa4\xf4\x9c\x40\x65\x10\xbd\xca\xb6\x82\x4e\xe7\xc3\x0f\xd8\x52"));
  const Key key = *ntowfv2(*nt_hash("Password"), as_bytes(user), as_bytes(domain), upper_case_ascii);
  EXPECT_EQ(key, key_of(std::string_view("\x0c\x86\x8a\x40\x3b\xfd\x7a\x93\xa3\x00\x1e\xf2\x2e\xf0\x2e\x3f", 16)));

  const std::string attributes("\x02\0\x0c\0D\0o\0m\0a\0i\0n\0\x01\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0", 36);
  Client client;
  client.respond(as_text(kChallenge), Client::blob(std::string(8, '\0'), std::string(8, '\xaa'), attributes));
  EXPECT_EQ(key_of(client.nt.substr(0, 16)),
            key_of("\x68\xcd\x0a\xb8\x51\xe5\x1c\x96\xaa\xbc\x92\x7b\xeb\xef\x6a\x1c"));
  EXPECT_EQ(*hmac_md5(key.bytes(), {as_bytes(client.nt).first(16)}),
            key_of(std::string_view("\x8d\xe4\x0c\xca\xdb\xc1\x4a\x82\xf1\x5c\xb0\xad\x0d\xe9\x5c\xa3", 16)));
  EXPECT_EQ(key_of(client.encrypted_key),
            key_of(std::string_view("\xc5\xda\xd2\x54\x4f\xc9\x79\x90\x94\xce\x1c\xe9\x0b\xc9\xd0\x3e", 16)));

  auto s = settings();
  Server server(s, kChallenge, kNow);
  ASSERT_TRUE(server.challenge(as_bytes(test::negotiate())));
  auto logon = server.authenticate(as_bytes(client.message()));
  ASSERT_TRUE(logon);
  EXPECT_EQ(logon->session_key, key_of(std::string(16, '\x55')));
  EXPECT_FALSE(logon->has_mic);
}

TEST(Ntlm, Challenge) {
  auto s = settings();
  Server server(s, kChallenge, kNow);
  const std::string text = *server.challenge(as_bytes(test::negotiate()));
  EXPECT_EQ(text.substr(0, 12), std::string("NTLMSSP\0\x02\0\0\0", 12));
  EXPECT_EQ(text.substr(24, 8), as_text(kChallenge));
  const uint32_t flags = *load_le<uint32_t>(as_bytes(text), 20);
  EXPECT_EQ(flags, test::kClientFlags | kTargetInfo | kTargetTypeServer);
  auto wide = [](std::string_view name) { return *utf16_of(name); };
  EXPECT_EQ(text.substr(56, 12), wide("SERVER"));
  std::string time;
  append_le<uint64_t>(time, 133444736001234567u);
  EXPECT_EQ(text.substr(68), std::string("\x02\0\x0c\0", 4) + wide("DOMAIN") + std::string("\x01\0\x0c\0", 4) +
                                 wide("SERVER") + std::string("\x04\0\x0e\0", 4) + wide("example") +
                                 std::string("\x03\0\x1c\0", 4) + wide("server.example") +
                                 std::string("\x07\0\x08\0", 4) + time + std::string(4, '\0'));
  EXPECT_EQ(*load_le<uint16_t>(as_bytes(text), 40), text.size() - 68);
  EXPECT_EQ(*load_le<uint32_t>(as_bytes(text), 44), 68u);
  // What was not asked for is not offered.
  EXPECT_EQ(challenge_flags(kUnicode | kExtendedSessionSecurity),
            kUnicode | kExtendedSessionSecurity | kNtlm | kTargetInfo);
  EXPECT_EQ(challenge_flags(0x4000) & 0x4000u, 0u);  // LOCAL_CALL
}

TEST(Ntlm, LogsOn) {
  auto logon = log_on({});
  ASSERT_TRUE(logon);
  EXPECT_EQ(logon->kind, Logon::Kind::user);
  EXPECT_EQ(logon->user, "User");
  EXPECT_EQ(logon->domain, "Domain");
  EXPECT_EQ(logon->workstation, "COMPUTER");
  EXPECT_EQ(logon->session_key, key_of(std::string(16, '\x55')));
  EXPECT_TRUE(logon->has_mic);
  logon = log_on({.mic = false});
  ASSERT_TRUE(logon);
  EXPECT_FALSE(logon->has_mic);
}

TEST(Ntlm, WithoutKeyExchange) {
  Client client{.flags = test::kClientFlags & ~kKeyExchange};
  auto s = settings();
  Server server(s, kChallenge, kNow);
  const std::string hello = test::negotiate(client.flags);
  const std::string challenge = *server.challenge(as_bytes(hello));
  const std::string message = client.authenticate(hello, challenge);
  auto logon = server.authenticate(as_bytes(message));
  ASSERT_TRUE(logon);
  EXPECT_EQ(logon->session_key, client.session_key);
}

TEST(Ntlm, Refuses) {
  EXPECT_EQ(log_on({.password = "password"}).code(), EACCES);
  EXPECT_EQ(log_on({.user = "Nobody"}).code(), EACCES);
  EXPECT_EQ(log_on({.user = "Nobody", .password = ""}).code(), EACCES);
  EXPECT_EQ(log_on({}, settings(), test::kClientFlags & ~kUnicode).code(), ENOTSUP);
  EXPECT_EQ(log_on({}, settings(), test::kClientFlags & ~kExtendedSessionSecurity).code(), ENOTSUP);
  EXPECT_EQ(log_on({.flags = test::kClientFlags & ~kUnicode}).code(), ENOTSUP);

  auto s = settings();
  auto answer = [&s](const std::string& message) {
    Server server(s, kChallenge, kNow);
    (void)server.challenge(as_bytes(test::negotiate()));
    return server.authenticate(as_bytes(message)).code();
  };
  Client v1;
  v1.nt = std::string(24, 'x');
  EXPECT_EQ(answer(v1.message()), ENOTSUP);
  v1.nt.clear();
  EXPECT_EQ(answer(v1.message()), EACCES);  // LM alone

  Server early(s, kChallenge, kNow), twice(s, kChallenge, kNow), server(s, kChallenge, kNow);
  const std::string hello = test::negotiate(), challenge = *server.challenge(as_bytes(hello));
  EXPECT_EQ(early.authenticate(as_bytes(v1.message())).code(), EPROTO);
  EXPECT_EQ(early.challenge(as_bytes(hello)).code(), EPROTO);
  EXPECT_TRUE(twice.challenge(as_bytes(hello)));
  EXPECT_EQ(twice.challenge(as_bytes(hello)).code(), EPROTO);
  EXPECT_EQ(Server(s, kChallenge, kNow).challenge(as_bytes(v1.message())).code(), EBADMSG);
  // One guess for each challenge.
  Client wrong{.password = "x"}, right;
  EXPECT_EQ(server.authenticate(as_bytes(wrong.authenticate(hello, challenge))).code(), EACCES);
  EXPECT_EQ(server.authenticate(as_bytes(right.authenticate(hello, challenge))).code(), EPROTO);
}

TEST(Ntlm, EveryBitOfWhatTheMicCovers) {
  auto s = settings();
  Client client;
  Server challenger(s, kChallenge, kNow);
  const std::string hello = test::negotiate(), challenge = *challenger.challenge(as_bytes(hello));
  const std::string message = client.authenticate(hello, challenge);
  for (size_t i = 0; i < message.size(); i++) {
    std::string changed = message;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    Server server(s, kChallenge, kNow);
    (void)server.challenge(as_bytes(hello));
    EXPECT_FALSE(server.authenticate(as_bytes(changed))) << i;
  }
  // A client that thought it said something else.
  Server server(s, kChallenge, kNow);
  (void)server.challenge(as_bytes(test::negotiate(test::kClientFlags | kSeal)));
  EXPECT_EQ(server.authenticate(as_bytes(message)).code(), EBADMSG);
}

TEST(Ntlm, Truncated) {
  auto s = settings();
  const std::string hello = test::negotiate(test::kClientFlags);
  for (size_t n = 0; n < 16; n++) EXPECT_FALSE(read_negotiate(as_bytes(hello).first(n))) << n;
  std::string supplied = test::negotiate(test::kClientFlags | kOemDomainSupplied | kOemWorkstationSupplied);
  supplied[16] = supplied[24] = 3;
  supplied[20] = 40;
  supplied[28] = 43;
  supplied += "DOMWKS";
  EXPECT_TRUE(read_negotiate(as_bytes(supplied)));
  for (size_t n = 0; n < supplied.size(); n++) EXPECT_FALSE(read_negotiate(as_bytes(supplied).first(n))) << n;

  for (bool mic : {true, false}) {
    Client client{.mic = mic};
    Server challenger(s, kChallenge, kNow);
    const std::string challenge = *challenger.challenge(as_bytes(hello));
    const std::string message = client.authenticate(hello, challenge);
    for (size_t n = 0; n < message.size(); n++) {
      Server server(s, kChallenge, kNow);
      (void)server.challenge(as_bytes(hello));
      EXPECT_EQ(server.authenticate(as_bytes(message).first(n)).code(), EBADMSG) << n;
    }
    // Its last attribute ends the list, with 4 bytes behind.
    for (size_t n = 0; n + 4 < client.nt.size(); n++)
      EXPECT_FALSE(read_ntlmv2_response(as_bytes(client.nt).first(n))) << n;
    EXPECT_TRUE(read_ntlmv2_response(as_bytes(client.nt)));
  }
}

TEST(Ntlm, FieldsOutside) {
  const std::string message = [] {
    Client client;
    client.nt = std::string(60, 'x');
    return client.message();
  }();
  ASSERT_TRUE(read_authenticate(as_bytes(message)));
  for (size_t at : {12, 20, 28, 36, 44}) {
    for (uint32_t offset : {static_cast<uint32_t>(message.size()), uint32_t{0xffffffff}, uint32_t{0x80000000}}) {
      std::string changed = message, bytes;
      append_le<uint32_t>(bytes, offset);
      EXPECT_FALSE(read_authenticate(as_bytes(changed.replace(at + 4, 4, bytes)))) << at;
    }
    std::string changed = message;
    changed[at] = changed[at + 1] = '\xff';
    EXPECT_FALSE(read_authenticate(as_bytes(changed))) << at;
  }
}

TEST(Ntlm, Anonymous) {
  Client nobody{.user = "", .domain = "", .workstation = "", .password = ""};
  nobody.lm = std::string(1, '\0');
  Key wrapped = nobody.session_key;
  Rc4(Key().bytes()).apply(wrapped.bytes());
  nobody.encrypted_key = as_text(wrapped.bytes());
  auto s = settings();
  auto answer = [&] {
    Server server(s, kChallenge, kNow);
    (void)server.challenge(as_bytes(test::negotiate()));
    return server.authenticate(as_bytes(nobody.message()));
  };
  EXPECT_EQ(answer().code(), EACCES);
  s.anonymous = true;
  auto logon = answer();
  ASSERT_TRUE(logon);
  EXPECT_EQ(logon->kind, Logon::Kind::anonymous);
  EXPECT_EQ(logon->session_key, nobody.session_key);
  nobody.user = "User";
  EXPECT_EQ(answer().code(), EACCES);
}

TEST(Ntlm, NamesOfOtherAlphabets) {
  auto s = settings();
  s.account = [](std::string_view user, std::string_view domain) {
    return user == "J\xc3\xbcrgen" && domain.empty() ? nt_hash("gr\xc3\xbc\xc3\x9f") : std::nullopt;
  };
  s.upper = [](uint32_t c) { return c == 0xfc ? 0xdcu : upper_case_ascii(c); };
  Client client{.user = "J\xc3\xbcrgen", .domain = "", .password = "gr\xc3\xbc\xc3\x9f"};
  // The client of this test knows ASCII only.
  EXPECT_EQ(log_on(client, s).code(), EACCES);
  s.upper = upper_case_ascii;
  EXPECT_TRUE(log_on(client, s));
  EXPECT_FALSE(nt_hash("\xff"));
}

}  // namespace
}  // namespace isthmus::ntlm
