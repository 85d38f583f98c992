#include "wire/ntlm/md4.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "base/endian.h"

namespace isthmus::ntlm {
namespace {

constexpr size_t kBlock = 64;  // bytes
using State = std::array<uint32_t, 4>;

struct Round {
  uint32_t (*mix)(uint32_t, uint32_t, uint32_t);
  uint32_t constant;
  std::array<uint8_t, 16> word;  // of the block, for each step
  std::array<uint8_t, 4> shift;  // of the steps modulo 4
};

constexpr Round kRounds[] = {
    {[](uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (~x & z); },
     0,
     {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
     {3, 7, 11, 19}},
    {[](uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (x & z) | (y & z); },
     0x5a827999,
     {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
     {3, 5, 9, 13}},
    {[](uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; },
     0x6ed9eba1,
     {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
     {3, 9, 11, 15}},
};

void add_block(State& state, Bytes block) {
  auto [a, b, c, d] = state;
  for (const Round& round : kRounds)
    for (size_t i = 0; i < round.word.size(); i++) {
      const uint32_t sum =
          a + round.mix(b, c, d) + *load_le<uint32_t>(block, size_t{4} * round.word[i]) + round.constant;
      a = d;
      d = c;
      c = b;
      b = std::rotl(sum, round.shift[i % 4]);
    }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace

Key md4(Bytes message) {
  State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const uint64_t bits = uint64_t{message.size()} * 8;
  for (; message.size() >= kBlock; message = message.subspan(kBlock)) add_block(state, message.first(kBlock));

  std::array<std::byte, 2 * kBlock> last{};
  std::copy(message.begin(), message.end(), last.begin());
  last[message.size()] = std::byte{0x80};
  const size_t size = round_up(message.size() + 1 + sizeof bits, kBlock);
  for (size_t i = 0; i < sizeof bits; i++) last[size - sizeof bits + i] = static_cast<std::byte>(bits >> 8 * i & 0xff);
  for (size_t at = 0; at < size; at += kBlock) add_block(state, Bytes(last).subspan(at, kBlock));
  wipe(last);

  Key out;
  for (size_t i = 0; i < out.bytes().size(); i++)
    out.bytes()[i] = static_cast<std::byte>(state[i / 4] >> 8 * (i % 4) & 0xff);
  wipe(std::as_writable_bytes(std::span(state)));
  return out;
}

}  // namespace isthmus::ntlm
