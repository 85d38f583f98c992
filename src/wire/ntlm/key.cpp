#include "wire/ntlm/key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <vector>

namespace isthmus::ntlm {
namespace {

const unsigned char* raw(Bytes b) { return reinterpret_cast<const unsigned char*>(b.data()); }
unsigned char* raw(MutableBytes b) { return reinterpret_cast<unsigned char*>(b.data()); }

/// What is hashed may hold a key.
class Joined {
 public:
  explicit Joined(std::initializer_list<Bytes> parts) {
    size_t size = 0;
    for (Bytes part : parts) size += part.size();
    bytes_.reserve(size);
    for (Bytes part : parts) bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;
  ~Joined() { wipe(bytes_); }

  Bytes bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

Key::~Key() { wipe(bytes_); }

bool operator==(const Key& a, const Key& b) { return constant_time_equal(a.bytes_, b.bytes_); }

void wipe(MutableBytes bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

bool constant_time_equal(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<Key> md5(std::initializer_list<Bytes> parts) {
  const Joined all(parts);
  Key out;
  size_t size = 0;
  if (!EVP_Q_digest(nullptr, "MD5", nullptr, raw(all.bytes()), all.bytes().size(), raw(out.bytes()), &size))
    return std::nullopt;
  return out;
}

std::optional<Key> hmac_md5(Bytes key, std::initializer_list<Bytes> parts) {
  const Joined all(parts);
  Key out;
  size_t size = 0;
  if (!EVP_Q_mac(nullptr, "HMAC", nullptr, "MD5", nullptr, key.data(), key.size(), raw(all.bytes()), all.bytes().size(),
                 raw(out.bytes()), out.bytes().size(), &size))
    return std::nullopt;
  return out;
}

}  // namespace isthmus::ntlm
