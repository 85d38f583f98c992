#pragma once
#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>

#include "base/bytes.h"

namespace isthmus::ntlm {

using Digest = std::array<std::byte, 16>;

/// 16 secret bytes. They are wiped when they go, compared in constant time and never shown.
class Key {
 public:
  Key() = default;
  explicit Key(const Digest& bytes) : bytes_(bytes) {}
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();

  Bytes bytes() const { return bytes_; }
  MutableBytes bytes() { return bytes_; }
  friend bool operator==(const Key& a, const Key& b);

 private:
  Digest bytes_{};
};

/// Overwrites, however the compiler sees it.
void wipe(MutableBytes bytes);
/// In a time that depends on the lengths only.
bool constant_time_equal(Bytes a, Bytes b);

/// Of the parts, one behind the other. None: this OpenSSL has no MD5 (a FIPS provider).
std::optional<Key> md5(std::initializer_list<Bytes> parts);
std::optional<Key> hmac_md5(Bytes key, std::initializer_list<Bytes> parts);

}  // namespace isthmus::ntlm
