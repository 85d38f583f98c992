#include "fs/mem/name_index.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

namespace isthmus::fs::mem {
namespace {

constexpr size_t kPointer = sizeof(void*);
constexpr uint8_t kEmpty = 0, kRemoved = 1;
uint8_t tag_of(uint64_t hash) { return std::max<uint8_t>(2, static_cast<uint8_t>(hash >> 32)); }
uint64_t hash_of(const Dirent& e) { return HashedName(e.name()).hash(); }

}  // namespace

// Followed by `size` addresses and as many tags.
struct NameIndex::Table {
  uint32_t size;       // a power of two
  uint32_t used = 0;   // names
  uint32_t taken = 0;  // names and removed ones
  uint32_t depth;      // bits of the hash that all names here share

  Table(uint32_t s, unsigned d) : size(s), depth(d) { std::memset(tags(), kEmpty, size); }
  Dirent** at() { return reinterpret_cast<Dirent**>(this + 1); }
  Dirent* const* at() const { return reinterpret_cast<Dirent* const*>(this + 1); }
  uint8_t* tags() { return reinterpret_cast<uint8_t*>(at() + size); }
  const uint8_t* tags() const { return reinterpret_cast<const uint8_t*>(at() + size); }
  uint32_t place_of(const Dirent& e, uint64_t hash) const {
    uint32_t mask = size - 1, i = static_cast<uint32_t>(hash) & mask;
    while (at()[i] != &e || tags()[i] <= kRemoved) i = (i + 1) & mask;
    return i;
  }
};

NameIndex::Table* NameIndex::make(uint32_t size, unsigned depth) {
  return ::new (::operator new(sizeof(Table) + size * (kPointer + 1))) Table(size, depth);
}

NameIndex::~NameIndex() {
  size_t n = size_t{1} << depth_;
  for (size_t i = 0; i < n;) {
    Table* t = top_[i];
    i += t ? size_t{1} << (depth_ - t->depth) : 1;
    ::operator delete(t);
  }
  if (top_ != &single_) std::free(top_);
}

Dirent* NameIndex::find(const HashedName& name) const {
  const Table* t = table_of(name.hash());
  if (!t) return nullptr;
  const uint8_t* tags = t->tags();
  uint8_t tag = tag_of(name.hash());
  uint32_t mask = t->size - 1;
  for (uint32_t i = static_cast<uint32_t>(name.hash()) & mask; tags[i] != kEmpty; i = (i + 1) & mask)
    if (tags[i] == tag && t->at()[i]->is(name)) return t->at()[i];
  return nullptr;
}

void NameIndex::insert(Table& t, Dirent& e, uint64_t hash) noexcept {
  uint32_t mask = t.size - 1, i = static_cast<uint32_t>(hash) & mask;
  while (t.tags()[i] > kRemoved) i = (i + 1) & mask;
  if (t.tags()[i] == kEmpty) t.taken++;
  t.tags()[i] = tag_of(hash);
  t.at()[i] = &e;
  t.used++;
}

void NameIndex::insert_all(const Table& from, Table& to) noexcept {
  for (uint32_t i = 0; i < from.size; i++)
    if (from.tags()[i] > kRemoved) insert(to, *from.at()[i], hash_of(*from.at()[i]));
}

void NameIndex::add(Dirent& e, uint64_t hash) noexcept { insert(*table_of(hash), e, hash); }

void NameIndex::moved(const Dirent& from, Dirent& to, uint64_t hash) noexcept {
  Table& t = *table_of(hash);
  t.at()[t.place_of(from, hash)] = &to;
}

// A table of d bits stands in all the places of the top that begin with these bits.
void NameIndex::replace(const Table& old, uint64_t hash, Table* now) noexcept {
  size_t n = size_t{1} << (depth_ - old.depth), first = ((hash >> 1) >> (63 - depth_)) & ~(n - 1);
  std::fill_n(top_ + first, n, now);
}

void NameIndex::resize(uint64_t hash, uint32_t size) {
  Table* old = table_of(hash);
  Table* now = make(size, old->depth);
  insert_all(*old, *now);
  replace(*old, hash, now);
  ::operator delete(old);
}

void NameIndex::reserve(uint64_t hash) {
  for (;;) {
    Table*& t = table_of(hash);
    if (!t) t = make(kMin, 0);
    if ((t->taken + 1) * 4 <= t->size * 3) return;
    if (t->used * 2 <= t->size) return resize(hash, t->size);  // many of them are removed
    if (t->size < kMax) return resize(hash, t->size * 2);
    split(hash);  // all names may go to one half
  }
}

void NameIndex::split(uint64_t hash) {
  Table* old = table_of(hash);
  if (old->depth == depth_) {
    size_t n = size_t{1} << depth_;
    auto** wider = static_cast<Table**>(std::malloc(2 * n * kPointer));
    if (!wider) throw std::bad_alloc();
    for (size_t i = 0; i < 2 * n; i++) wider[i] = top_[i / 2];
    if (top_ != &single_) std::free(top_);
    top_ = wider;
    depth_++;
    deepest_ = 0;
  }
  unsigned depth = old->depth + 1;
  struct Free {
    void operator()(Table* t) const { ::operator delete(t); }
  };
  std::unique_ptr<Table, Free> low(make(kMax, depth)), high(make(kMax, depth));
  uint64_t bit = uint64_t{1} << (64 - depth);
  for (uint32_t i = 0; i < old->size; i++) {
    if (old->tags()[i] <= kRemoved) continue;
    uint64_t h = hash_of(*old->at()[i]);
    insert(h & bit ? *high : *low, *old->at()[i], h);
  }
  ::operator delete(old);
  if (depth == depth_) deepest_ += 2;
  // `replace` with the depth that the new tables have: each its half of the places.
  replace(*low, hash & ~bit, low.get());
  replace(*high, hash | bit, high.get());
  (void)low.release();
  (void)high.release();
}

void NameIndex::remove(const Dirent& e, uint64_t hash) noexcept {
  Table& t = *table_of(hash);
  uint32_t mask = t.size - 1, i = t.place_of(e, hash);
  t.used--;
  t.tags()[i] = kRemoved;
  // What nobody has to pass becomes empty again.
  if (t.tags()[(i + 1) & mask] == kEmpty)
    for (; t.tags()[i] == kRemoved; i = (i - 1) & mask) {
      t.tags()[i] = kEmpty;
      t.taken--;
    }
  if (t.size == kMin || t.used * 8 >= t.size) return;
  try {
    resize(hash, t.size / 2);
    merge(hash);
  } catch (const std::bad_alloc&) {  // a big one does as well
  }
}

// Two halves that once split become one again when both are small.
void NameIndex::merge(uint64_t hash) {
  Table* t = table_of(hash);
  while (t->depth > 0 && t->size <= kMax / 8) {
    uint64_t bit = uint64_t{1} << (64 - t->depth);
    Table* other = table_of(hash ^ bit);
    if (other->depth != t->depth || other->size > kMax / 8) return;
    Table* both = make(kMax / 4, t->depth - 1);
    insert_all(*t, *both);
    insert_all(*other, *both);
    if (t->depth == depth_) deepest_ -= 2;
    replace(*both, hash, both);
    ::operator delete(t);
    ::operator delete(other);
    if (deepest_ == 0) shrink_top();
    t = both;
  }
}

void NameIndex::shrink_top() noexcept {
  while (depth_ > 0 && deepest_ == 0) {
    size_t n = size_t{1} << --depth_;
    for (size_t i = 0; i < n; i++) top_[i] = top_[2 * i];
    for (size_t i = 0; i < n && depth_; i++) deepest_ += top_[i]->depth == depth_;
    if (depth_ == 0) {
      single_ = top_[0];
      std::free(top_);
      top_ = &single_;
    } else if (void* smaller = std::realloc(static_cast<void*>(top_), n * kPointer)) {
      top_ = static_cast<Table**>(smaller);
    }
  }
}

}  // namespace isthmus::fs::mem
