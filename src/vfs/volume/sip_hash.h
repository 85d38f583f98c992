#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace isthmus::volume {

using SipKey = std::array<std::byte, 16>;

/// SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash of 64 bits that nobody can make without the key.
inline uint64_t sip_hash(const SipKey& key, Bytes data) {
  auto word = [](const std::byte* p, size_t n) {
    uint64_t w = 0;
    for (size_t i = 0; i < n; i++) w |= static_cast<uint64_t>(p[i]) << (8 * i);
    return w;
  };
  uint64_t k0 = word(key.data(), 8), k1 = word(key.data() + 8, 8);
  uint64_t v0 = k0 ^ 0x736f6d6570736575u, v1 = k1 ^ 0x646f72616e646f6du;
  uint64_t v2 = k0 ^ 0x6c7967656e657261u, v3 = k1 ^ 0x7465646279746573u;
  auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  };
  auto take = [&](uint64_t m) {
    v3 ^= m;
    round(), round();
    v0 ^= m;
  };
  size_t whole = data.size() / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) take(word(data.data() + i, 8));
  take(word(data.data() + whole, data.size() - whole) | static_cast<uint64_t>(data.size()) << 56);
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace isthmus::volume
