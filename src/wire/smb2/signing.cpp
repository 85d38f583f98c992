#include "wire/smb2/signing.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/endian.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kSigningKey = 16;  // bytes
// Bits behind the MessageId in the nonce.
constexpr uint32_t kFromServer = 1, kOfCancel = 2;

}  // namespace

std::optional<Signer> Signer::make(SigningAlgorithm algorithm, Bytes key) {
  Signer s;
  if (key.size() != kSigningKey) return std::nullopt;
  switch (algorithm) {
    case SigningAlgorithm::hmac_sha256:
      s.mac_ = hmac_sha256(key);
      break;
    case SigningAlgorithm::aes_cmac:
      s.mac_ = aes128_cmac(key);
      break;
    case SigningAlgorithm::aes_gmac: {
      const EVP_CIPHER* cipher = fetched_cipher(Cipher::aes128_gcm);
      s.gcm_.reset(cipher ? EVP_CIPHER_CTX_new() : nullptr);
      if (s.gcm_ && EVP_EncryptInit_ex2(s.gcm_.get(), cipher, uchars(key.data()), nullptr, nullptr) != 1)
        s.gcm_.reset();
      break;
    }
  }
  if (!s.mac_ && !s.gcm_) return std::nullopt;
  return s;
}

bool Signer::gmac(Bytes header, std::span<const Bytes> parts, Signature& out) {
  const uint32_t flags = *load_le<uint32_t>(header, kFlagsAt);
  const bool cancel = *load_le<uint16_t>(header, 12) == static_cast<uint16_t>(Command::cancel);
  std::string nonce(as_text(header.subspan(24, 8)));
  append_le<uint32_t>(nonce, (flags & kFlagResponse ? kFromServer : 0) | (cancel ? kOfCancel : 0));
  if (EVP_EncryptInit_ex2(gcm_.get(), nullptr, nullptr, uchars(as_bytes(nonce).data()), nullptr) != 1) return false;
  int n = 0;
  for (Bytes part : parts)
    if (!part.empty() &&
        EVP_EncryptUpdate(gcm_.get(), nullptr, &n, uchars(part.data()), static_cast<int>(part.size())) != 1)
      return false;
  std::array<std::byte, 16> none;
  return EVP_EncryptFinal_ex(gcm_.get(), uchars(none.data()), &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(gcm_.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(out.size()), out.data()) == 1;
}

bool Signer::compute(Bytes header, std::span<const Bytes> rest, Signature& out) {
  constexpr Signature kZeros{};
  constexpr size_t kMostParts = 16;
  std::array<Bytes, kMostParts + 2> parts{header.first(kSignatureAt), Bytes(kZeros)};
  if (rest.size() > kMostParts) return false;
  for (Bytes part : rest)
    if (part.size() > kMaxFrame) return false;
  std::copy(rest.begin(), rest.end(), parts.begin() + 2);
  const std::span<const Bytes> all(parts.data(), rest.size() + 2);
  return gcm_ ? gmac(header, all, out) : mac_of(*mac_, all, out);
}

bool Signer::sign(MutableBytes header, std::span<const Bytes> rest) {
  if (header.size() != kHeader) return false;
  header[kFlagsAt] |= static_cast<std::byte>(kFlagSigned);
  Signature made;
  if (!compute(header, rest, made)) return false;
  std::copy(made.begin(), made.end(), header.begin() + kSignatureAt);
  return true;
}

bool Signer::verify(Bytes message) {
  if (message.size() < kHeader || (*load_le<uint32_t>(message, kFlagsAt) & kFlagSigned) == 0) return false;
  const Bytes rest = message.subspan(kHeader);
  Signature made;
  return compute(message.first(kHeader), std::span(&rest, 1), made) &&
         CRYPTO_memcmp(made.data(), message.data() + kSignatureAt, made.size()) == 0;
}

}  // namespace isthmus::smb2
