#include "fs/mem/dirent.h"

#include <sys/random.h>

#include <cstdlib>
#include <new>

namespace isthmus::fs::mem {
namespace {

// Keyed at random, so that nobody can choose names that collide.
uint64_t hash_key() {
  static const uint64_t key = [] {
    uint64_t k = 0x9e3779b97f4a7c15u;
    if (::getrandom(&k, sizeof k, GRND_NONBLOCK) < 0) k ^= reinterpret_cast<uintptr_t>(&k);
    return k | 1;
  }();
  return key;
}

uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  Wide p = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}

uint64_t word_at(const char* p) {
  uint64_t w;
  std::memcpy(&w, p, sizeof w);
  return w;
}

// Copies n bytes, 1 to 15, without a loop: two pieces that may overlap.
void copy_short(char* to, const char* from, size_t n) {
  if (n >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + n - 8, from + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + n - 4, from + n - 4, 4);
  } else {
    to[0] = from[0];
    to[n / 2] = from[n / 2];
    to[n - 1] = from[n - 1];
  }
}

constexpr uint64_t kOther = 0xd6e8feb86659fd93u;

}  // namespace

HashedName::HashedName(std::string_view name) : text_(name) {
  uint64_t key = hash_key();
  size_t n = name.size();
  image_[0] = static_cast<char>(n);
  if (n <= kShort) {
    if (n) copy_short(image_.data() + 1, name.data(), n);
    hash_ = mix(mix(word_at(image_.data()) ^ key, key ^ kOther) ^ word_at(image_.data() + 8), key);
    return;
  }
  uint64_t h = key ^ n;
  for (size_t i = 0; i + 8 < n; i += 8) h = mix(h ^ word_at(name.data() + i), key);
  h = mix(h ^ word_at(name.data() + n - 8), key ^ kOther);
  hash_ = mix(h ^ key, key);
}

void Dirent::set_name(const HashedName& n) {
  image = n.image_;
  if (n.text_.size() <= HashedName::kShort) return;
  void* p = std::malloc(n.text_.size());
  if (!p) throw std::bad_alloc();
  std::memcpy(p, n.text_.data(), n.text_.size());
  std::memcpy(image.data() + 8, &p, sizeof p);
}

void Dirent::free_name() noexcept {
  if (length() > HashedName::kShort) std::free(allocated());
}

}  // namespace isthmus::fs::mem
