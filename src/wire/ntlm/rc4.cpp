#include "wire/ntlm/rc4.h"

#include <cassert>
#include <numeric>
#include <utility>

#include "wire/ntlm/key.h"

namespace isthmus::ntlm {

Rc4::Rc4(Bytes key) {
  assert(!key.empty());
  std::iota(s_.begin(), s_.end(), uint8_t{0});
  uint8_t j = 0;
  for (size_t i = 0; i < s_.size(); i++) {
    j = static_cast<uint8_t>(j + s_[i] + std::to_integer<uint8_t>(key[i % key.size()]));
    std::swap(s_[i], s_[j]);
  }
}

Rc4::~Rc4() { wipe(std::as_writable_bytes(std::span(s_))); }

void Rc4::apply(MutableBytes bytes) {
  for (std::byte& b : bytes) {
    j_ = static_cast<uint8_t>(j_ + s_[++i_]);
    std::swap(s_[i_], s_[j_]);
    b ^= std::byte{s_[static_cast<uint8_t>(s_[i_] + s_[j_])]};
  }
}

}  // namespace isthmus::ntlm
