#include <gtest/gtest.h>

#include <string>

#include "wire/ntlm/md4.h"
#include "wire/ntlm/rc4.h"
#include "wire/ntlm/signing.h"
#include "wire/ntlm/test_client.h"

namespace isthmus::ntlm {
namespace {

std::string hex(Bytes bytes) {
  std::string out;
  for (std::byte b : bytes) {
    out += "0123456789abcdef"[std::to_integer<int>(b) >> 4];
    out += "0123456789abcdef"[std::to_integer<int>(b) & 15];
  }
  return out;
}

// RFC 1320, appendix A.5.
TEST(Md4, Vectors) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", "31d6cfe0d16ae931b73c59d7e0c089c0"},
      {"a", "bde52cb31de33e46245e05fbdbd6fb24"},
      {"abc", "a448017aaf21d8525fc10ae87aa6729d"},
      {"message digest", "d9130a8164549fe818874806e1c7014b"},
      {"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "043f8582f241db351ce627e153e7f0e4"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "e33b4ddc9c38f2199c3e7b164fcc0536"},
  };
  for (auto [text, digest] : vectors) EXPECT_EQ(hex(md4(as_bytes(text)).bytes()), digest) << text;
}

std::string rc4(std::string_view key, std::string text) {
  Rc4(as_bytes(key)).apply(std::as_writable_bytes(std::span(text)));
  return hex(as_bytes(text));
}

TEST(Rc4, Vectors) {
  EXPECT_EQ(rc4("Key", "Plaintext"), "bbf316e8d940af0ad3");
  EXPECT_EQ(rc4("Wiki", "pedia"), "1021bf0420");
  EXPECT_EQ(rc4("Secret", "Attack at dawn"), "45a01f645fc35b383552544b9bf5");
  // RFC 6229: keys of 40 and 128 bits, offset 0.
  EXPECT_EQ(rc4("\x01\x02\x03\x04\x05", std::string(16, '\0')), "b2396305f03dc027ccc3524a0a1118a8");
  EXPECT_EQ(rc4("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", std::string(16, '\0')),
            "9ac7cc9a609d1ef7b2932899cde41b97");
}

// MS-NLMP section 4.2.4.4: the message is "Plaintext" in UTF-16.
TEST(Signing, VectorOfMsNlmp) {
  const Key exported = test::key_of(std::string(16, '\x55'));
  const uint32_t flags = k128 | k56 | kKeyExchange | kSeal | kSign | kExtendedSessionSecurity;
  auto client = Signing::start(exported, flags, Sender::client);
  ASSERT_TRUE(client);
  const std::string text = *utf16_of("Plaintext");
  // There the text is sealed before, by the same stream.
  const Key seal =
      *md5({exported.bytes(),
            as_bytes(std::string_view("session key to client-to-server sealing key magic constant\0", 59))});
  EXPECT_EQ(hex(seal.bytes()), "59f600973cc4960a25480a7c196e4c58");
  const Key sign =
      *md5({exported.bytes(),
            as_bytes(std::string_view("session key to client-to-server signing key magic constant\0", 59))});
  EXPECT_EQ(hex(sign.bytes()), "4788dc861b4782f35d43fd98fe1a2d39");
  std::string sealed = text;
  Rc4 stream(seal.bytes());
  stream.apply(std::as_writable_bytes(std::span(sealed)));
  EXPECT_EQ(hex(as_bytes(sealed)), "54e50165bf1936dc996020c1811b0f06fb5f");
  auto digest = hmac_md5(sign.bytes(), {as_bytes(std::string_view("\0\0\0\0", 4)), as_bytes(text)});
  auto checksum = digest->bytes().first(8);
  stream.apply(checksum);
  EXPECT_EQ(hex(checksum), "7fb38ec5c55d4976");
}

TEST(Signing, BothEndsCount) {
  const Key exported = test::key_of("sixteen secrets.");
  for (uint32_t flags : {uint32_t{k128 | kKeyExchange}, uint32_t{k56 | kKeyExchange}, uint32_t{k128}, uint32_t{0}}) {
    auto one = Signing::start(exported, flags, Sender::client), other = one;
    std::string first = *one->sign(as_bytes("a")), second = *one->sign(as_bytes("a"));
    EXPECT_EQ(first.size(), kSignatureSize);
    EXPECT_NE(first, second);
    auto late = other;
    EXPECT_FALSE(late->verify(as_bytes("a"), as_bytes(second)));
    EXPECT_TRUE(other->verify(as_bytes("a"), as_bytes(first)));
    EXPECT_TRUE(other->verify(as_bytes("a"), as_bytes(second)));
    auto server = Signing::start(exported, flags, Sender::server);
    EXPECT_FALSE(server->verify(as_bytes("a"), as_bytes(first)));
    other = Signing::start(exported, flags, Sender::client);
    EXPECT_FALSE(other->verify(as_bytes("a"), as_bytes(first).first(15)));
  }
}

}  // namespace
}  // namespace isthmus::ntlm
