#include "fs/mem/directory.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace isthmus::fs::mem {

// Followed by `capacity` names, of which the first `filled` have been used, in the order of their cookies.
struct Directory::Segment {
  uint32_t capacity, filled = 0, live = 0, unused = 0;

  explicit Segment(uint32_t c) : capacity(c) {}
  Dirent* begin() { return reinterpret_cast<Dirent*>(this + 1); }
  Dirent* end() { return begin() + filled; }
  // The first one with a greater cookie, removed or not.
  Dirent* behind(uint64_t cookie) {
    return std::upper_bound(begin(), end(), cookie, [](uint64_t c, const Dirent& e) { return c < e.cookie; });
  }
};

Directory::Segment* Directory::make(uint32_t capacity) {
  void* p = std::malloc(sizeof(Segment) + capacity * sizeof(Dirent));
  return p ? ::new (p) Segment(capacity) : nullptr;
}

Directory::~Directory() {
  for (auto& p : parts_) {
    if (!p.segment) continue;
    for (Dirent& e : *p.segment)
      if (e.node) e.free_name();
    std::free(p.segment);
  }
}

Dirent& Directory::add(const HashedName& name, Inode& node) {
  index_.reserve(name.hash());
  if (parts_.empty() || parts_.back().segment->filled == parts_.back().segment->capacity) {
    // As many again as there are half of, so that small directories stay small.
    auto capacity = static_cast<uint32_t>(std::clamp<size_t>(live_ / 2, 4, kSegment));
    if (parts_.size() == parts_.capacity()) parts_.reserve(std::max<size_t>(1, 2 * parts_.size()));
    Segment* fresh = make(capacity);
    if (!fresh) throw std::bad_alloc();
    parts_.push_back({next_, fresh});
  }
  Segment& s = *parts_.back().segment;
  Dirent* e = s.end();
  e->set_name(name);
  e->node = &node;
  e->cookie = next_++;
  s.filled++;
  s.live++;
  live_++;
  index_.add(*e, name.hash());
  return *e;
}

// The part in which `cookie` is, if it is anywhere; parts_.size() when it lies before all.
size_t Directory::part_of(uint64_t cookie) const {
  auto it =
      std::upper_bound(parts_.begin(), parts_.end(), cookie, [](uint64_t c, const Part& p) { return c < p.first; });
  return it == parts_.begin() ? parts_.size() : static_cast<size_t>(it - parts_.begin()) - 1;
}

void Directory::remove(Dirent& e) noexcept {
  index_.remove(e, HashedName(e.name()).hash());
  e.free_name();
  e.node = nullptr;
  live_--;
  size_t part = part_of(e.cookie);
  Segment& s = *parts_[part].segment;
  s.live--;
  while (s.filled && !s.begin()[s.filled - 1].node) s.filled--;
  if (s.live == 0)
    emptied(part);
  else if (s.live <= kSegment / 8)
    merge(part);
}

// The last one stays, for the names to come.
void Directory::emptied(size_t part) noexcept {
  if (part + 1 == parts_.size()) return;
  std::free(std::exchange(parts_[part].segment, nullptr));
  if (++dead_ < parts_.size() / 2 + 4) return;
  std::erase_if(parts_, [](const Part& p) { return !p.segment; });
  dead_ = 0;
  if (parts_.capacity() > 4 * parts_.size() + 64) parts_.shrink_to_fit();
}

// Puts the names of two neighbours that are nearly empty together.
void Directory::merge(size_t part) noexcept {
  size_t next = part + 1;
  while (next < parts_.size() && next < part + 4 && !parts_[next].segment) next++;
  if (next + 1 >= parts_.size() || !parts_[next].segment) return;  // the last one grows, and stays as it is
  Segment &a = *parts_[part].segment, &b = *parts_[next].segment;
  if (b.live > kSegment / 8) return;
  Segment* both = make(a.live + b.live);
  if (!both) return;
  for (Segment* s : {&a, &b})
    for (Dirent& e : *s) {
      if (!e.node) continue;
      Dirent& to = *both->end();
      to = e;
      both->filled++;
      index_.moved(e, to, HashedName(to.name()).hash());
    }
  both->live = both->filled;
  // It stands at the second place and begins where the first did, so that both's cookies lead to it.
  for (size_t i = part + 1; i <= next; i++) parts_[i].first = parts_[part].first;
  std::free(&b);
  parts_[next].segment = both;
  emptied(part);
}

Directory::Reader::Reader(const Directory& d, uint64_t cookie) : d_(d), part_(d.part_of(cookie)) {
  if (part_ == d.parts_.size())
    part_ = 0;
  else if (Segment* s = d.parts_[part_].segment)
    at_ = static_cast<uint32_t>(s->behind(cookie) - s->begin());
}

const Dirent* Directory::Reader::next() {
  for (; part_ < d_.parts_.size(); part_++, at_ = 0)
    if (Segment* s = d_.parts_[part_].segment)
      while (at_ < s->filled)
        if (const Dirent& e = s->begin()[at_++]; e.node) return &e;
  return nullptr;
}

const Dirent* Directory::at(uint64_t cookie) const {
  size_t part = part_of(cookie);
  if (part == parts_.size() || !parts_[part].segment) return nullptr;
  Segment& s = *parts_[part].segment;
  Dirent* e = s.behind(cookie);
  return e != s.begin() && e[-1].cookie == cookie && e[-1].node ? e - 1 : nullptr;
}

}  // namespace isthmus::fs::mem
