#include "wire/smb2/signing.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

constexpr SigningAlgorithm kAlgorithms[] = {SigningAlgorithm::hmac_sha256, SigningAlgorithm::aes_cmac,
                                            SigningAlgorithm::aes_gmac};
const std::string kKey = from_hex("000102030405060708090a0b0c0d0e0f");

MutableBytes writable(std::string& s) { return std::as_writable_bytes(std::span(s.data(), s.size())); }

Signer signer(SigningAlgorithm algorithm, std::string_view key = kKey) {
  auto s = Signer::make(algorithm, as_bytes(key));
  EXPECT_TRUE(s);
  return std::move(*s);
}

bool sign(Signer& s, std::string& message) {
  const Bytes rest = as_bytes(message).subspan(kHeader);
  return s.sign(writable(message).first(kHeader), std::span(&rest, 1));
}

std::string signature_of(const std::string& message) { return message.substr(kSignatureAt, 16); }

TEST(Smb2Cmac, Rfc4493) {
  const MacContext context = aes128_cmac(as_bytes(from_hex("2b7e151628aed2a6abf7158809cf4f3c")));
  ASSERT_TRUE(context);
  const std::string text = from_hex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"
      "f69f2445df4f9b17ad2b417be66c3710");
  struct {
    size_t size;
    std::string_view mac;
  } examples[] = {{0, "bb1d6929e95937287fa37d129b756746"},
                  {16, "070a16b46b4d4144f79bdd9dd04a287c"},
                  {40, "dfa66747de9ae63030ca32611497c827"},
                  {64, "51f0bebf7e3b9d92fc49741779363cfe"}};
  for (auto& e : examples)
    for (size_t cut = 0; cut <= e.size; cut++) {
      std::array<std::byte, 16> mac;
      const Bytes all = as_bytes(text).first(e.size), parts[] = {all.first(cut), all.subspan(cut)};
      ASSERT_TRUE(mac_of(*context, parts, mac));
      EXPECT_EQ(as_text(mac), from_hex(e.mac)) << e.size << " " << cut;
    }
}

TEST(Smb2Signing, MicrosoftsResponse) {
  Signer s = signer(SigningAlgorithm::aes_cmac, from_hex("73FE7A9A77BEF0BDE49C650D8CCB5F76"));
  const std::string published = from_hex(kSetupResponse2);
  EXPECT_TRUE(s.verify(as_bytes(published)));
  std::string message = published;
  message.replace(kSignatureAt, 16, 16, '\0');
  message[kFlagsAt] = 1;
  ASSERT_TRUE(sign(s, message));
  EXPECT_EQ(message, published);
}

// By AESGCM and HMAC of python3-cryptography 48, over Microsoft's message with zeros as the signature.
TEST(Smb2Signing, ByAnotherImplementation) {
  std::string message = from_hex(kSetupResponse2);
  Signer gmac = signer(SigningAlgorithm::aes_gmac), hmac = signer(SigningAlgorithm::hmac_sha256);
  ASSERT_TRUE(sign(hmac, message));
  EXPECT_EQ(signature_of(message), from_hex("3642f9cb2ee03e958466b5fafcc7de7c"));
  ASSERT_TRUE(sign(gmac, message));
  EXPECT_EQ(signature_of(message), from_hex("5dc638390abdfabd105016950b11dff9"));
  message[kFlagsAt] = 8;
  ASSERT_TRUE(sign(gmac, message));
  EXPECT_EQ(signature_of(message), from_hex("fffd50919eb9977dc88867f067196050"));
  message[12] = 12;
  ASSERT_TRUE(sign(gmac, message));
  EXPECT_EQ(signature_of(message), from_hex("fa7cdaeb6d236dee7f26091050ac8a14"));
}

TEST(Smb2Signing, EveryBitCounts) {
  for (SigningAlgorithm a : kAlgorithms) {
    Signer s = signer(a);
    std::string message = from_hex(kSetupResponse2);
    message[kFlagsAt] = 0;
    ASSERT_TRUE(sign(s, message));
    ASSERT_TRUE(s.verify(as_bytes(message)));
    for (size_t bit = 0; bit < 8 * message.size(); bit++) {
      std::string bad = message;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
      ASSERT_FALSE(s.verify(as_bytes(bad))) << bit;
    }
    for (size_t n = 0; n < message.size(); n++) ASSERT_FALSE(s.verify(as_bytes(message).first(n)));
    EXPECT_FALSE(s.verify(as_bytes(message + '\0')));
    EXPECT_TRUE(s.verify(as_bytes(message)));
    std::string other_key = kKey;
    other_key[15] = 0;
    Signer other = signer(a, other_key);
    EXPECT_FALSE(other.verify(as_bytes(message)));
  }
}

TEST(Smb2Signing, ScatteredAsWhole) {
  for (SigningAlgorithm a : kAlgorithms) {
    Signer s = signer(a);
    std::string whole = from_hex(kSetupRequest2);
    ASSERT_TRUE(sign(s, whole));
    for (size_t cut : {size_t{64}, size_t{65}, size_t{100}, whole.size() - 1, whole.size()}) {
      std::string header = whole.substr(0, kHeader);
      const Bytes parts[] = {as_bytes(whole).subspan(kHeader, cut - kHeader), {}, as_bytes(whole).subspan(cut)};
      ASSERT_TRUE(s.sign(writable(header), parts));
      EXPECT_EQ(header, whole.substr(0, kHeader));
    }
  }
}

TEST(Smb2Signing, Refuses) {
  EXPECT_FALSE(Signer::make(SigningAlgorithm::aes_cmac, as_bytes("short")));
  EXPECT_FALSE(Signer::make(static_cast<SigningAlgorithm>(9), as_bytes(kKey)));
  Signer s = signer(SigningAlgorithm::aes_cmac);
  std::string header(kHeader, '\0');
  EXPECT_FALSE(s.sign(writable(header).first(63), {}));
  const std::vector<Bytes> many(17);
  EXPECT_FALSE(s.sign(writable(header), many));
  EXPECT_TRUE(s.sign(writable(header), std::span(many).first(16)));
}

}  // namespace
}  // namespace isthmus::smb2
