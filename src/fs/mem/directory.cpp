#include "fs/mem/directory.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
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

uint32_t hash_of(std::string_view s) {
  uint64_t key = hash_key(), h = key ^ s.size();
  for (; s.size() >= 8; s.remove_prefix(8)) {
    uint64_t w;
    std::memcpy(&w, s.data(), 8);
    h = mix(h ^ w, key);
  }
  uint64_t w = 0;
  std::memcpy(&w, s.data(), s.size());
  h = mix(h ^ w, key ^ 0xd6e8feb86659fd93u);
  return static_cast<uint32_t>(h ^ (h >> 32));
}

}  // namespace

Directory::~Directory() {
  for (auto& p : order_) std::free(p.entry);
}

Dirent* Directory::find(std::string_view name) const {
  if (table_.empty()) return nullptr;
  uint32_t h = hash_of(name);
  size_t mask = table_.size() - 1;
  for (size_t i = h & mask; Dirent* e = table_[i]; i = (i + 1) & mask)
    if (e->hash == h && e->name() == name) return e;
  return nullptr;
}

void Directory::rehash(size_t size) {
  std::vector<Dirent*> bigger(size);
  for (Dirent* e : table_) {
    if (!e) continue;
    size_t i = e->hash & (size - 1);
    while (bigger[i]) i = (i + 1) & (size - 1);
    bigger[i] = e;
  }
  table_.swap(bigger);
}

Dirent& Directory::add(std::string_view name, Inode& node) {
  if ((live_ + 1) * 4 > table_.size() * 3) rehash(std::max(kMinTable, table_.size() * 2));
  order_.reserve(order_.size() == order_.capacity() ? std::max<size_t>(4, order_.size() * 3 / 2) : 0);
  void* raw = std::malloc(sizeof(Dirent) + name.size());
  if (!raw) throw std::bad_alloc();
  auto* e = ::new (raw) Dirent{&node, next_++, hash_of(name), static_cast<uint8_t>(name.size())};
  std::memcpy(static_cast<void*>(e + 1), name.data(), name.size());
  size_t mask = table_.size() - 1, i = e->hash & mask;
  while (table_[i]) i = (i + 1) & mask;
  table_[i] = e;
  order_.push_back({e->cookie, e});
  live_++;
  return *e;
}

size_t Directory::slot_of(const Dirent& e) const {
  size_t mask = table_.size() - 1, i = e.hash & mask;
  while (table_[i] != &e) i = (i + 1) & mask;
  return i;
}

size_t Directory::place_behind(uint64_t cookie) const {
  auto it =
      std::upper_bound(order_.begin(), order_.end(), cookie, [](uint64_t c, const Place& p) { return c < p.cookie; });
  return static_cast<size_t>(it - order_.begin());
}

void Directory::remove(Dirent& e) noexcept {
  size_t mask = table_.size() - 1, hole = slot_of(e);
  for (size_t i = (hole + 1) & mask; table_[i]; i = (i + 1) & mask) {
    // An entry may move back into the hole unless its own place lies behind the hole.
    if (((i - table_[i]->hash) & mask) < ((i - hole) & mask)) continue;
    table_[hole] = table_[i];
    hole = i;
  }
  table_[hole] = nullptr;
  order_[place_behind(e.cookie) - 1].entry = nullptr;
  live_--;
  std::free(&e);
  while (!order_.empty() && !order_.back().entry) order_.pop_back();
  if (order_.size() > 2 * live_ + 16) compact();
}

void Directory::compact() {
  std::erase_if(order_, [](const Place& p) { return !p.entry; });
  if (order_.capacity() > 4 * order_.size() + 64) order_.shrink_to_fit();
  if (table_.size() > 8 * live_ + 64) {
    size_t size = table_.size();
    while (size > kMinTable && size > 4 * live_) size /= 2;
    try {
      rehash(size);
    } catch (const std::bad_alloc&) {  // the big one does as well
    }
  }
}

const Dirent* Directory::after(uint64_t cookie) const {
  for (size_t i = place_behind(cookie); i < order_.size(); i++)
    if (order_[i].entry) return order_[i].entry;
  return nullptr;
}

const Dirent* Directory::at(uint64_t cookie) const {
  size_t i = place_behind(cookie);
  return i > 0 && order_[i - 1].cookie == cookie ? order_[i - 1].entry : nullptr;
}

}  // namespace isthmus::fs::mem
