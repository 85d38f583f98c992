#include "wire/smb2/transform.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "wire/smb2/keys.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

constexpr Cipher kCiphers[] = {Cipher::aes128_ccm, Cipher::aes128_gcm, Cipher::aes256_ccm, Cipher::aes256_gcm};
constexpr uint64_t kSession = 0x1122334455667788;

MutableBytes frame_of(std::string& s) { return std::as_writable_bytes(std::span(s.data(), s.size())); }

std::string test_key(Cipher cipher) {
  std::string key;
  for (size_t i = 0; i < key_size(cipher); i++) key += static_cast<char>(i);
  return key;
}

Sealer sealer(Cipher cipher, uint32_t id = 0x010203) {
  auto s = Sealer::make(cipher, as_bytes(test_key(cipher)), id);
  EXPECT_TRUE(s);
  return std::move(*s);
}

Opener opener(Cipher cipher) {
  auto o = Opener::make(cipher, as_bytes(test_key(cipher)));
  EXPECT_TRUE(o);
  return std::move(*o);
}

std::string sealed(Sealer& s, std::string_view text) {
  std::string out = std::string(kTransformHeader, '\0').append(text);
  const MutableBytes frame = frame_of(out), part = frame.subspan(kTransformHeader);
  EXPECT_TRUE(s.seal(kSession, std::span(&part, 1), frame.first(kTransformHeader)));
  return out;
}

std::optional<std::string> opened(Opener& o, std::string frame) {
  const auto text = o.open(frame_of(frame));
  if (!text) return std::nullopt;
  return std::string(as_text(*text));
}

TEST(Smb2Transform, PublishedFrames) {
  struct Example {
    Dialect dialect;
    Cipher cipher;
    std::string_view session_key, from_client, client_text, from_server, server_text;
    uint64_t session;
  } examples[] = {{Dialect::smb300, Cipher::aes128_ccm, "B4546771B515F766A86735532DD6C4F0", kCcmFromClient,
                   kCcmFromClientText, kCcmFromServer, kCcmFromServerText, 0x8E40014000011},
                  {Dialect::smb311, Cipher::aes128_gcm, "419FDDF34C1E001909D362AE7FB6AF79", kGcmFromClient,
                   kGcmFromClientText, kGcmFromServer, kGcmFromServerText, 0x100000000025}};
  PreauthHash preauth;
  const std::string value = from_hex(kGcmPreauthHash);
  std::copy_n(as_bytes(value).begin(), value.size(), preauth.value.begin());
  for (const Example& e : examples) {
    const auto keys = derive_session_keys(e.dialect, e.cipher, as_bytes(from_hex(e.session_key)), preauth);
    ASSERT_TRUE(keys);
    auto client = Opener::make(e.cipher, keys->decryption.bytes()),
         server = Opener::make(e.cipher, keys->encryption.bytes());
    ASSERT_TRUE(client && server);
    EXPECT_EQ(sealed_session(as_bytes(from_hex(e.from_client))), e.session);
    EXPECT_EQ(opened(*client, from_hex(e.from_client)), from_hex(e.client_text));
    EXPECT_EQ(opened(*server, from_hex(e.from_server)), from_hex(e.server_text));
    EXPECT_FALSE(opened(*server, from_hex(e.from_client)));
  }
}

// Tags of the first and the second message by AESCCM and AESGCM of python3-cryptography 48.
TEST(Smb2Transform, ByAnotherImplementation) {
  std::string text = from_hex(kSetupResponse2);
  text.replace(kSignatureAt, 16, 16, '\0');
  struct {
    Cipher cipher;
    std::string_view tags[2];
  } examples[] = {{Cipher::aes128_ccm, {"600c19b8ebad4db44e31c4b3831226d9", "1ba817a721620e4f0fcd2c23ddd39f7b"}},
                  {Cipher::aes128_gcm, {"1bafa9a81621acae56d1cbd7b7bf7528", "24db7c93c7283aac421bb2e53cf07cc5"}},
                  {Cipher::aes256_ccm, {"f6d60da21dbaff4b80b3e7dd6c34eea3", "5d84eda558ac421e1eca6b3fb0fe38e8"}},
                  {Cipher::aes256_gcm, {"78cd812cca95f1d6b0c200b4c235bc14", "24da91575b35f750273e71701a45465f"}}};
  for (auto& e : examples) {
    Sealer s = sealer(e.cipher);
    Opener o = opener(e.cipher);
    for (std::string_view tag : e.tags) {
      const std::string frame = sealed(s, text);
      EXPECT_EQ(frame.substr(4, 16), from_hex(tag)) << static_cast<int>(e.cipher);
      EXPECT_EQ(opened(o, frame), text);
    }
  }
}

TEST(Smb2Transform, ScatteredThereAndBack) {
  for (Cipher c : kCiphers) {
    Sealer s = sealer(c);
    Opener o = opener(c);
    for (size_t size : {size_t{64}, size_t{65}, size_t{127}, size_t{4096}, size_t{100000}}) {
      std::string text(size, 'x');
      for (size_t i = 0; i < size; i++) text[i] = static_cast<char>(i * 7);
      std::string header(kTransformHeader, '\0'), one = text.substr(0, 7), none, two = text.substr(7, 40),
                                                  three = text.substr(47);
      const MutableBytes parts[] = {frame_of(one), frame_of(none), frame_of(two), frame_of(three)};
      ASSERT_TRUE(s.seal(kSession, parts, frame_of(header)));
      const std::string frame = header + one + two + three;
      EXPECT_EQ(sealed_session(as_bytes(frame)), kSession);
      EXPECT_EQ(opened(o, frame), text);
    }
  }
}

TEST(Smb2Transform, EveryBitCounts) {
  for (Cipher c : kCiphers) {
    Sealer s = sealer(c);
    Opener o = opener(c);
    const std::string text(70, 'a'), frame = sealed(s, text);
    for (size_t bit = 0; bit < 8 * frame.size(); bit++) {
      // CCM uses 11 bytes of the nonce and GCM 12, but the additional data has all 16.
      std::string bad = frame;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
      ASSERT_FALSE(opened(o, bad)) << bit;
    }
    for (size_t n = 0; n < frame.size(); n++) ASSERT_FALSE(opened(o, frame.substr(0, n)));
    ASSERT_FALSE(opened(o, frame + 'a'));
    EXPECT_EQ(opened(o, frame), text);
  }
}

TEST(Smb2Transform, NoncesDiffer) {
  std::set<std::string> nonces;
  for (uint32_t id : {0u, 1u, 0xFFFFFFu}) {
    Sealer s = sealer(Cipher::aes128_ccm, id);
    for (int i = 0; i < 100; i++) nonces.insert(sealed(s, std::string(64, 'a')).substr(20, 11));
  }
  EXPECT_EQ(nonces.size(), 300u);
}

TEST(Smb2Transform, Refuses) {
  EXPECT_FALSE(Sealer::make(Cipher::none, as_bytes(test_key(Cipher::aes128_ccm))));
  EXPECT_FALSE(Sealer::make(Cipher::aes256_ccm, as_bytes(test_key(Cipher::aes128_ccm))));
  EXPECT_FALSE(Opener::make(Cipher::aes128_gcm, as_bytes(test_key(Cipher::aes256_gcm))));
  Sealer s = sealer(Cipher::aes128_gcm);
  std::string text = "text", header(kTransformHeader, '\0'), longer = header + ' ';
  const MutableBytes part = frame_of(text);
  EXPECT_FALSE(s.seal(kSession, std::span(&part, 1), frame_of(longer)));
  EXPECT_FALSE(s.seal(kSession, {}, frame_of(header)));
  std::string large(kMaxFrame - kTransformHeader + 1, '\0');
  const MutableBytes too_large = frame_of(large);
  EXPECT_FALSE(s.seal(kSession, std::span(&too_large, 1), frame_of(header)));
}

}  // namespace
}  // namespace isthmus::smb2
