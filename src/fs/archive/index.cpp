#include "fs/archive/index.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

namespace isthmus::fs::archive {
namespace {
__extension__ using Wide = unsigned __int128;
}

uint64_t Arena::put(std::string_view s) {
  if (s.size() > kChunk) s = s.substr(0, kChunk);  // callers bound names and targets far below
  if (used_ + s.size() > kChunk) {
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunk));
    used_ = 0;
  }
  uint64_t place = ((chunks_.size() - 1) << kShift) | used_;
  if (!s.empty()) std::memcpy(chunks_.back().get() + used_, s.data(), s.size());
  used_ += s.size();
  return place;
}

// Seeded by chance, so that no archive can be made whose names all collide.
uint64_t Index::random_seed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
    seed = static_cast<uint64_t>(monotonic_ns()) * 0x9e3779b97f4a7c15;
  return seed | 1;
}

uint64_t Index::hash(uint32_t dir, std::string_view name) const {
  auto mix = [](uint64_t a, uint64_t b) {
    Wide m = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
  };
  uint64_t h = mix(seed_ ^ dir, 0xa0761d6478bd642f) ^ name.size();
  while (!name.empty()) {
    uint64_t word = 0;
    size_t n = std::min<size_t>(name.size(), 8);
    std::memcpy(&word, name.data(), n);
    name.remove_prefix(n);
    h = mix(h ^ word ^ seed_, 0xe7037ed1a0b428db ^ (seed_ << 1));
  }
  return mix(h, 0x8ebc6af09c88c6e3);
}

uint32_t Index::find(uint32_t dir, std::string_view name) const {
  if (table_.empty()) return kNone;
  size_t mask = table_.size() - 1;
  for (size_t at = hash(dir, name) & mask; table_[at] != kNone; at = (at + 1) & mask) {
    const Name& n = names[table_[at]];
    if (n.parent == dir && text(n) == name) return table_[at];
  }
  return kNone;
}

void Index::insert(uint32_t name_number) {
  if ((table_used_ + 1) * 4 > table_.size() * 3) grow_table(std::max<size_t>(64, table_.size() * 2));
  const Name& n = names[name_number];
  size_t mask = table_.size() - 1, at = hash(n.parent, text(n)) & mask;
  while (table_[at] != kNone) at = (at + 1) & mask;
  table_[at] = name_number;
  table_used_++;
}

void Index::grow_table(size_t slots) {
  std::vector<uint32_t>().swap(table_);  // the old one is not needed to fill the new one
  table_.assign(slots, kNone);
  size_t mask = slots - 1, count = table_used_;
  for (uint32_t i = 0; i < count; i++) {
    size_t at = hash(names[i].parent, text(names[i])) & mask;
    while (table_[at] != kNone) at = (at + 1) & mask;
    table_[at] = i;
  }
}

uint32_t Index::add_extra(const Extra& x) {
  extras.push_back(x);
  return static_cast<uint32_t>(extras.size() - 1);
}

uint32_t Index::add_xattrs(std::vector<Xattr> list) {
  for (auto& x : list) side_memory_ += sizeof(Xattr) + x.name.capacity() + x.value.capacity();
  side_memory_ += sizeof(std::vector<Xattr>);
  xattrs.push_back(std::move(list));
  return static_cast<uint32_t>(xattrs.size() - 1);
}

uint32_t Index::add_sparse(std::vector<Extent> map) {
  side_memory_ += sizeof(std::vector<Extent>) + map.capacity() * sizeof(Extent);
  sparse.push_back(std::move(map));
  return static_cast<uint32_t>(sparse.size() - 1);
}

const std::vector<Extent>* Index::sparse_map(const Node& n) const {
  const Extra* x = extra(n);
  return x && x->sparse != kNone ? &sparse[x->sparse] : nullptr;
}

std::string Index::path_of(uint32_t node) const {
  std::string path;
  for (int depth = 0; node != 0 && depth < 4096; depth++) {
    auto it = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.node == node; });
    if (it == names.end()) return "(replaced) " + path;
    path.insert(0, path.empty() ? "" : "/");
    path.insert(0, text(*it));
    node = it->parent;
  }
  return path;
}

uint64_t Index::memory() const {
  return nodes.size() * sizeof(Node) + names.size() * sizeof(Name) + extras.size() * sizeof(Extra) +
         table_.size() * sizeof(uint32_t) + arena.memory() + side_memory_;
}

}  // namespace isthmus::fs::archive
