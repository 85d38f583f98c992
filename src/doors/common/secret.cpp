#include "doors/common/secret.h"

#include <sys/random.h>

#include <system_error>

namespace isthmus {

void fill_random(MutableBytes to) {
  while (!to.empty()) {
    const ssize_t n = getrandom(to.data(), to.size(), 0);
    if (n < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
    if (n > 0) to = to.subspan(static_cast<size_t>(n));
  }
}

std::string random_secret(size_t bytes) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string raw(bytes, '\0');
  fill_random(std::as_writable_bytes(std::span(raw)));
  std::string text;
  unsigned bits = 0, count = 0;
  for (char c : raw) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) text += kAlphabet[bits >> (count - 5) & 31];
  }
  if (count) text += kAlphabet[bits << (5 - count) & 31];
  return text;
}

}  // namespace isthmus
