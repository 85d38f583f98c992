#include "wire/smb2/keys.h"

#include <gtest/gtest.h>

#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

std::string text_of(const Key& k) { return std::string(as_text(k.bytes())); }

PreauthHash hash_of(std::string_view hex) {
  PreauthHash h;
  const std::string bytes = from_hex(hex);
  std::copy_n(as_bytes(bytes).begin(), h.value.size(), h.value.begin());
  return h;
}

TEST(Smb2Preauth, MicrosoftsChain) {
  PreauthHash hash;
  const std::string_view messages[] = {kNegotiateRequest, kNegotiateResponse, kSetupRequest1, kSetupResponse1,
                                       kSetupRequest2};
  for (size_t i = 0; i < std::size(messages); i++) {
    const std::string bytes = from_hex(messages[i]);
    const Bytes all = as_bytes(bytes), parts[] = {all.first(64), {}, all.subspan(64)};
    ASSERT_TRUE(hash.add(parts));
    EXPECT_EQ(hash, hash_of(kPreauthHashes[i])) << i;
  }
}

struct Expected {
  Dialect dialect;
  Cipher cipher;
  std::string_view session_key, signing, encryption, decryption, application;
};

TEST(Smb2Keys, Published) {
  const Expected all[] = {
      // Both from "the anatomy of signing and cryptographic keys", which names them as the client sees them: what it
      // encrypts with, the server decrypts with.
      {Dialect::smb300, Cipher::aes128_ccm, "7CD451825D0450D235424E44BA6E78CC", "0B7E9C5CAC36C0F6EA9AB275298CEDCE",
       "B0F0427F7CEB416D1D9DCC0CD4F99447", "FAD27796665B313EBB578F388632B4F7", "BB23A4575AA26C721AF525AF15A87B4F"},
      {Dialect::smb311, Cipher::aes128_gcm, "270E1BA896585EEB7AF3472D3B4C75A7", "73FE7A9A77BEF0BDE49C650D8CCB5F76",
       "E2AF0DCEFAC68DA71A0DFBD0D1350D74", "629BCBC54422A0F572B97F45989B6073", "6D7AD7954E9EC61E907B4D473DC178FF"},
      // By KBKDFHMAC of python3-cryptography 48.
      {Dialect::smb311, Cipher::aes256_gcm, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
       "adfdcd95a8dbb1db6648fc26d5cea1bc", "4ebc8bf4047484c299d04c4f8ff31ed8243cea3ed8aa9902ea5833b809ac10e7",
       "f1a5c66c7c07116904393a1d1c4cb46eeceb7fd384038c510561fbfdba9ae683", "109dc2bc61b656a125a8787a13f03293"}};
  for (const Expected& e : all) {
    const auto keys =
        derive_session_keys(e.dialect, e.cipher, as_bytes(from_hex(e.session_key)), hash_of(kPreauthHashes[4]));
    ASSERT_TRUE(keys);
    EXPECT_EQ(text_of(keys->signing), from_hex(e.signing));
    EXPECT_EQ(text_of(keys->encryption), from_hex(e.encryption));
    EXPECT_EQ(text_of(keys->decryption), from_hex(e.decryption));
    EXPECT_EQ(text_of(keys->application), from_hex(e.application));
  }
}

TEST(Smb2Keys, OldDialectsSignByTheSessionKey) {
  const auto keys = derive_session_keys(Dialect::smb210, Cipher::none, as_bytes("0123456789abcdefXYZ"), {});
  ASSERT_TRUE(keys);
  EXPECT_EQ(text_of(keys->signing), "0123456789abcdef");
  EXPECT_EQ(keys->encryption.size(), 0u);
  const auto padded = derive_session_keys(Dialect::smb202, Cipher::none, as_bytes("DES key"), {});
  EXPECT_EQ(text_of(padded->signing), std::string("DES key") + std::string(9, '\0'));
}

TEST(Smb2Keys, NothingLongerThanABlock) { EXPECT_FALSE(derive_key(as_bytes("k"), "l", {}, 33)); }

}  // namespace
}  // namespace isthmus::smb2
