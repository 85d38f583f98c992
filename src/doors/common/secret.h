#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace isthmus {

/// Fills it with random bytes of the kernel. Throws std::system_error where there are none, which no server should
/// survive.
void fill_random(MutableBytes to);

template <size_t N>
std::array<uint8_t, N> random_bytes() {
  std::array<uint8_t, N> bytes{};
  fill_random(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

/// `bytes` random bytes as letters and digits (base 32, RFC 4648 in lower case, without padding): 16 bytes are 26.
std::string random_secret(size_t bytes = 16);

}  // namespace isthmus
