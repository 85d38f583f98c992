#pragma once
#include <optional>
#include <span>

#include "wire/smb2/crypto.h"
#include "wire/smb2/header.h"

namespace isthmus::smb2 {

/// Signs and verifies messages (section 3.1.4.1). Holds a keyed context: one thread at a time. Interim responses
/// (pending) are not to be signed: they have the final response's MessageId, which is AES-GMAC's nonce, and clients do
/// not verify them (section 3.2.5.1.3).
class Signer {
 public:
  /// `key`: 16 bytes. None: libcrypto refused, or an unknown algorithm.
  static std::optional<Signer> make(SigningAlgorithm algorithm, Bytes key);

  /// Sets kFlagSigned and the signature in `header` (kHeader bytes), over it and `rest`, the message's further bytes in
  /// 16 pieces at most, padding before the next of a compound chain included. False: nothing was signed.
  [[nodiscard]] bool sign(MutableBytes header, std::span<const Bytes> rest);
  /// Whether the signature is right, told in the same time for each wrong one. False also if `message` is shorter than
  /// a header or kFlagSigned is not set.
  [[nodiscard]] bool verify(Bytes message);

 private:
  Signer() = default;
  bool compute(Bytes header, std::span<const Bytes> rest, Signature& out);
  bool gmac(Bytes header, std::span<const Bytes> parts, Signature& out);

  MacContext mac_;
  CipherContext gcm_;
};

}  // namespace isthmus::smb2
