#pragma once
#include <optional>
#include <span>

#include "wire/smb2/crypto.h"
#include "wire/smb2/header.h"

namespace isthmus::smb2 {

/// TRANSFORM_HEADER (section 2.2.41): Signature, Nonce, OriginalMessageSize, Flags and SessionId before the sealed
/// bytes.
constexpr size_t kTransformHeader = 52;  // bytes

/// The session whose key opens a sealed frame. None: not a sealed frame, one without room for a header in it, of
/// another algorithm than the negotiated one, or whose sizes disagree. The connection ends then (section 3.3.5.2.1.1).
std::optional<uint64_t> sealed_session(Bytes frame);

/// Seals what a server sends (section 3.1.4.3). Nonces count from 1, so each message of a key has its own as long as no
/// two sealers of one key have the same `id`. One thread at a time.
class Sealer {
 public:
  /// `key` has key_size(cipher) bytes; `id` counts in its low 24 bits, the most there is room for with CCM. None:
  /// libcrypto refused, or a key of another size.
  static std::optional<Sealer> make(Cipher cipher, Bytes key, uint32_t id = 0);

  /// Encrypts `parts`, the pieces of a frame one after another, where they are, and writes the header that goes before
  /// them (kTransformHeader bytes). False: sizes do not fit, more than a frame may have, or libcrypto refused; nothing
  /// of it must be sent then.
  [[nodiscard]] bool seal(uint64_t session_id, std::span<const MutableBytes> parts, MutableBytes header);

 private:
  Sealer() = default;

  CipherContext context_;
  bool ccm_ = false;
  uint32_t id_ = 0;
  uint64_t sealed_ = 0;  ///< messages
};

/// Opens what a client sealed. One thread at a time.
class Opener {
 public:
  static std::optional<Opener> make(Cipher cipher, Bytes key);

  /// Decrypts in place; the result is the part of `frame` behind its header. None: as sealed_session(), or it was not
  /// sealed by this key; what is left in `frame` means nothing then.
  [[nodiscard]] std::optional<MutableBytes> open(MutableBytes frame);

 private:
  Opener() = default;

  CipherContext context_;
  bool ccm_ = false;
};

}  // namespace isthmus::smb2
