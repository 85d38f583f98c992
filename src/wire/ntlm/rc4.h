#pragma once
#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace isthmus::ntlm {

/// The RC4 stream cipher, which NTLM wraps session keys and signatures with (RFC 6229 has its vectors). Broken for
/// anything else.
class Rc4 {
 public:
  /// key: 1 to 256 bytes.
  explicit Rc4(Bytes key);
  Rc4(const Rc4&) = default;
  Rc4& operator=(const Rc4&) = default;
  ~Rc4();

  /// Encrypts or decrypts the next bytes of the stream in place.
  void apply(MutableBytes bytes);

 private:
  std::array<uint8_t, 256> s_;
  uint8_t i_ = 0, j_ = 0;
};

}  // namespace isthmus::ntlm
