#include "wire/smb2/negotiate.h"

#include <gtest/gtest.h>

#include "wire/smb2/header.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

using namespace std::string_literals;

const std::string kAnyHeader(kHeader, 'h');

Guid guid_of(std::string_view hex) {
  Guid g;
  const std::string bytes = from_hex(hex);
  std::copy_n(as_bytes(bytes).begin(), g.size(), g.begin());
  return g;
}

NegotiateRequest sample_request() {
  NegotiateRequest m;
  m.security_mode = kSigningRequired;
  m.capabilities = 0x7f;
  m.client_guid.fill(std::byte{0x11});
  m.dialects = {0x0210, 0x0300, 0x0302, 0x0311};
  m.contexts.hashes = {1};
  m.contexts.salt = as_bytes("0123456789");
  m.contexts.ciphers = {2, 1, 4, 3};
  m.contexts.signing = {2, 1, 0};
  m.contexts.posix = true;
  return m;
}

TEST(Smb2Negotiate, MicrosoftsRequest) {
  const std::string bytes = from_hex(kNegotiateRequest);
  const auto m = read_negotiate_request(as_bytes(bytes));
  ASSERT_TRUE(m);
  EXPECT_EQ(m->dialects, (std::vector<uint16_t>{0x0202, 0x0210, 0x0300, 0x0302, 0x0311}));
  EXPECT_TRUE(m->offers(Dialect::smb302));
  EXPECT_EQ(m->capabilities, 0x3fu);
  EXPECT_EQ(m->client_guid, guid_of("ECD86F326276024F9F7752B89BB33F3A"));
  EXPECT_EQ(m->contexts.hashes, std::vector<uint16_t>{kPreauthSha512});
  EXPECT_EQ(as_text(m->contexts.salt), from_hex("FA49E6578F1F3A9F4CD3E9CC14A67AA884B3D05844E0E5A118225C15887F32FF"));
  EXPECT_EQ(m->contexts.ciphers, (std::vector<uint16_t>{2, 1}));
  EXPECT_TRUE(m->contexts.signing.empty());
  EXPECT_FALSE(m->contexts.posix);
  EXPECT_EQ(write_negotiate_request(*m), bytes.substr(kHeader));
  for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(read_negotiate_request(as_bytes(bytes).first(n))) << n;
}

TEST(Smb2Negotiate, MicrosoftsResponse) {
  const std::string bytes = from_hex(kNegotiateResponse);
  const auto m = read_negotiate_response(as_bytes(bytes));
  ASSERT_TRUE(m);
  EXPECT_EQ(m->dialect, Dialect::smb311);
  EXPECT_EQ(m->security_mode, kSigningEnabled);
  EXPECT_EQ(m->max_read, 0x800000u);
  EXPECT_EQ(m->token.size(), 0x140u);
  EXPECT_EQ(m->contexts.ciphers, std::vector<uint16_t>{2});
  std::string again = write_negotiate_response(*m);
  ASSERT_EQ(again.size(), bytes.size() - kHeader);
  // Windows tells when it started.
  again.replace(48, 8, bytes, kHeader + 48, 8);
  EXPECT_EQ(again, bytes.substr(kHeader));
  for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(read_negotiate_response(as_bytes(bytes).first(n))) << n;
}

TEST(Smb2Negotiate, AllContextsThereAndBackAndCut) {
  const NegotiateRequest m = sample_request();
  const std::string bytes = kAnyHeader + write_negotiate_request(m);
  EXPECT_EQ(read_negotiate_request(as_bytes(bytes)), m);
  for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(read_negotiate_request(as_bytes(bytes).first(n))) << n;
}

TEST(Smb2Negotiate, OldDialectsHaveNoContexts) {
  NegotiateRequest m = sample_request();
  m.dialects = {0x0202};
  m.contexts = {};
  const std::string bytes = kAnyHeader + write_negotiate_request(m);
  ASSERT_EQ(bytes.size(), kHeader + 38);
  EXPECT_EQ(read_negotiate_request(as_bytes(bytes)), m);
  NegotiateResponse answer;
  answer.dialect = Dialect::any;
  answer.token = as_bytes("hint");
  const std::string response = kAnyHeader + write_negotiate_response(answer);
  ASSERT_EQ(response.size(), kHeader + 64 + 4);
  const auto read = read_negotiate_response(as_bytes(response));
  ASSERT_TRUE(read);
  EXPECT_EQ(as_text(read->token), "hint");
  for (size_t n = 0; n < response.size(); n++) EXPECT_FALSE(read_negotiate_response(as_bytes(response).first(n)));
}

/// The sample's fixed part and four dialects, which take 44 bytes, padded to 48.
std::string with_contexts(uint16_t count, const std::string& contexts) {
  std::string bytes = (kAnyHeader + write_negotiate_request(sample_request())).substr(0, kHeader + 48);
  bytes[kHeader + 32] = static_cast<char>(count);
  return bytes + contexts;
}

const std::string kPreauthContext = "\1\0\6\0\0\0\0\0\1\0\0\0\1\0\0\0"s;

TEST(Smb2Negotiate, Contexts) {
  auto read = [](uint16_t count, const std::string& contexts) -> std::optional<NegotiateContexts> {
    std::string bytes = with_contexts(count, contexts);
    auto m = read_negotiate_request(as_bytes(bytes));
    if (!m) return std::nullopt;
    m->contexts.salt = {};
    return m->contexts;
  };
  ASSERT_TRUE(read(1, kPreauthContext));
  EXPECT_FALSE(read(0, ""));
  EXPECT_FALSE(read(2, kPreauthContext)) << "the second is missing";
  EXPECT_FALSE(read(2, kPreauthContext + kPreauthContext)) << "twice";
  const std::string cipher = "\2\0\4\0\0\0\0\0\1\0\2\0\0\0\0\0"s, netname = "\5\0\3\0\0\0\0\0abc"s,
                    unknown = "\x77\x77\0\0\0\0\0\0"s, compression = "\3\0\1\0\0\0\0\0?\0\0\0\0\0\0\0"s;
  EXPECT_FALSE(read(1, cipher)) << "no preauthentication";
  EXPECT_EQ(read(2, kPreauthContext + cipher)->ciphers, std::vector<uint16_t>{2});
  EXPECT_FALSE(read(3, kPreauthContext + cipher + cipher));
  EXPECT_TRUE(read(4, compression + unknown + kPreauthContext + netname)->ciphers.empty());
  EXPECT_FALSE(read(2, kPreauthContext + "\2\0\2\0\0\0\0\0\0\0"s)) << "no cipher";
  EXPECT_FALSE(read(2, kPreauthContext + "\2\0\4\0\0\0\0\0\2\0\2\0"s)) << "more than there are";
  EXPECT_FALSE(read(1, "\1\0\4\0\0\0\0\0\0\0\0\0"s)) << "no hash";
  EXPECT_FALSE(read(1, "\1\0\6\0\0\0\0\0\1\0\1\0\1\0"s)) << "salt beyond the context";
  const std::string posix = from_hex("000110000000000093AD25509CB411E7B42383DE968BCD7C");
  EXPECT_TRUE(read(2, kPreauthContext + posix)->posix);
  EXPECT_FALSE(read(3, kPreauthContext + posix + posix));
  EXPECT_FALSE(read(2, kPreauthContext + "\0\1\x08\0\0\0\0\0ABCDEFGH"s));
}

TEST(Smb2Negotiate, Dialects) {
  NegotiateRequest m = sample_request();
  m.dialects = {};
  EXPECT_FALSE(read_negotiate_request(as_bytes(kAnyHeader + write_negotiate_request(m))));
  m.dialects.assign(65, 0x0202);
  EXPECT_FALSE(read_negotiate_request(as_bytes(kAnyHeader + write_negotiate_request(m))));
}

}  // namespace
}  // namespace isthmus::smb2
