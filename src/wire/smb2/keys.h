#pragma once
#include <optional>
#include <string_view>

#include "wire/smb2/crypto.h"

namespace isthmus::smb2 {

/// Preauthentication integrity of 3.1.1 (sections 3.3.5.4 and 3.3.5.5): SHA-512 over the value before and a message.
/// A connection's begins with zeros and takes the NEGOTIATE request and response; a session's begins with the
/// connection's and takes each SESSION_SETUP request and each response but the last, the one that says success.
struct PreauthHash {
  std::array<std::byte, 64> value{};

  /// The whole message, header included, frame head not. False: libcrypto refused, and the value is as it was.
  [[nodiscard]] bool add(std::span<const Bytes> message);
  [[nodiscard]] bool add(Bytes message) { return add(std::span(&message, 1)); }
  bool operator==(const PreauthHash&) const = default;
};

/// SP800-108 section 5.1, counter mode with HMAC-SHA256, r = 32 (section 3.1.4.2). `label` and `context` with the NULs
/// they end with; `size` of the result: 32 bytes at most.
std::optional<Key> derive_key(Bytes key, std::string_view label, Bytes context, size_t size);

/// The server's view: it seals with `encryption` and opens with `decryption`.
struct SessionKeys {
  Key signing, encryption, decryption, application;
};

/// Keys of a session (section 3.3.5.5.3). `session_key` is what the authentication gave; its first 16 bytes, padded by
/// zeros, are Session.SessionKey, and all of it is Session.FullSessionKey, of which ciphers of 256 bits make theirs.
/// Dialects before 3.0 sign by Session.SessionKey itself and have no other key. `preauth` counts in 3.1.1 only.
std::optional<SessionKeys> derive_session_keys(Dialect dialect, Cipher cipher, Bytes session_key,
                                               const PreauthHash& preauth);

/// Of a key: 16 or 32 bytes.
constexpr size_t key_size(Cipher cipher) {
  return cipher == Cipher::aes256_ccm || cipher == Cipher::aes256_gcm ? 32 : 16;
}

}  // namespace isthmus::smb2
