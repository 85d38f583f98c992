#pragma once
#include <openssl/evp.h>

#include <memory>
#include <span>

#include "base/bytes.h"
#include "wire/smb2/codes.h"

/// What the rest of the room asks of OpenSSL (3.0 or later). Nothing throws; a false or an empty optional means that
/// libcrypto refused: out of memory, or an algorithm that its configuration does not allow.
namespace isthmus::smb2 {

template <auto Free>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeBy<EVP_MAC_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeBy<EVP_CIPHER_CTX_free>>;

/// A secret of 32 bytes at most, wiped at its end.
class Key {
 public:
  Key() = default;
  /// Bytes beyond the 32nd are left out.
  explicit Key(Bytes secret);
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();

  Bytes bytes() const { return Bytes(bytes_).first(size_); }
  size_t size() const { return size_; }

 private:
  std::array<std::byte, 32> bytes_{};
  size_t size_ = 0;
};

inline unsigned char* uchars(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
inline const unsigned char* uchars(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }

/// Algorithms are fetched once for the process. Null: not to be had.
const EVP_MD* fetched_sha512();
const EVP_CIPHER* fetched_cipher(Cipher cipher);
/// Keyed context of HMAC-SHA256 or AES-128-CMAC.
MacContext hmac_sha256(Bytes key);
MacContext aes128_cmac(Bytes key);

/// MAC of `parts` one after another, by a context that stays keyed for the next. Writes `out.size()` bytes, no more
/// than the MAC has.
bool mac_of(EVP_MAC_CTX& context, std::span<const Bytes> parts, MutableBytes out);

}  // namespace isthmus::smb2
