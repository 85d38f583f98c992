#include "wire/smb2/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>

namespace isthmus::smb2 {
namespace {

struct Fetched {
  EVP_MD* sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC* cmac = EVP_MAC_fetch(nullptr, "CMAC", nullptr);
  EVP_CIPHER* ccm128 = EVP_CIPHER_fetch(nullptr, "AES-128-CCM", nullptr);
  EVP_CIPHER* gcm128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  EVP_CIPHER* ccm256 = EVP_CIPHER_fetch(nullptr, "AES-256-CCM", nullptr);
  EVP_CIPHER* gcm256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
};

/// Never freed: connections may still be ending when the program does.
const Fetched& fetched() {
  static const Fetched* const all = new Fetched;
  return *all;
}

MacContext keyed(EVP_MAC* mac, const char* parameter, const char* value, Bytes key) {
  MacContext context(mac ? EVP_MAC_CTX_new(mac) : nullptr);
  char name[16] = {};
  std::copy_n(value, std::min(std::char_traits<char>::length(value), sizeof name - 1), name);
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(parameter, name, 0), OSSL_PARAM_construct_end()};
  if (!context || EVP_MAC_init(context.get(), uchars(key.data()), key.size(), params) != 1) return nullptr;
  return context;
}

}  // namespace

Key::Key(Bytes secret) : size_(std::min(secret.size(), bytes_.size())) {
  std::copy_n(secret.begin(), size_, bytes_.begin());
}

Key::~Key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

const EVP_MD* fetched_sha512() { return fetched().sha512; }

const EVP_CIPHER* fetched_cipher(Cipher cipher) {
  switch (cipher) {
    case Cipher::aes128_ccm:
      return fetched().ccm128;
    case Cipher::aes128_gcm:
      return fetched().gcm128;
    case Cipher::aes256_ccm:
      return fetched().ccm256;
    case Cipher::aes256_gcm:
      return fetched().gcm256;
    case Cipher::none:
      break;
  }
  return nullptr;
}

MacContext hmac_sha256(Bytes key) { return keyed(fetched().hmac, OSSL_MAC_PARAM_DIGEST, "SHA256", key); }

MacContext aes128_cmac(Bytes key) { return keyed(fetched().cmac, OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", key); }

bool mac_of(EVP_MAC_CTX& context, std::span<const Bytes> parts, MutableBytes out) {
  std::array<std::byte, EVP_MAX_MD_SIZE> mac;
  size_t size = 0;
  if (EVP_MAC_init(&context, nullptr, 0, nullptr) != 1) return false;
  for (Bytes part : parts)
    if (!part.empty() && EVP_MAC_update(&context, uchars(part.data()), part.size()) != 1) return false;
  if (EVP_MAC_final(&context, uchars(mac.data()), &size, mac.size()) != 1 || size < out.size()) return false;
  std::copy_n(mac.begin(), out.size(), out.begin());
  return true;
}

}  // namespace isthmus::smb2
