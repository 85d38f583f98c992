#include "fs/mem/file_data.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace isthmus::fs::mem {
namespace {
PagePool& pool() { return PagePool::instance(); }
}  // namespace

FileData::~FileData() {
  free_first();
  if (rest_)
    for (auto& [key, leaf] : rest_->leaves)
      for (std::byte* p : leaf.pages) pool().give(p);
}

void FileData::free_first() noexcept {
  if (Small* s = small())
    std::free(s);
  else if (first_)
    pool().give(first_);
  first_ = nullptr;
}

std::byte* FileData::page(uint64_t index) const {
  if (index == 0) return first_is_small() ? nullptr : first_;
  if (!rest_) return nullptr;
  auto it = rest_->leaves.find(index / kLeafPages);
  if (it == rest_->leaves.end()) return nullptr;
  uint64_t at = index % kLeafPages;
  return at < it->second.pages.size() ? it->second.pages[at] : nullptr;
}

void FileData::read(uint64_t offset, MutableBytes to) const {
  while (!to.empty()) {
    uint64_t index = offset / kPage;
    size_t in = offset % kPage, n = std::min(to.size(), kPage - in), have = 0;
    const std::byte* p = page(index);
    if (p) {
      have = n;
    } else if (Small* s = index == 0 ? small() : nullptr; s && in < s->size) {
      p = s->bytes();
      have = std::min<size_t>(n, s->size - in);
    }
    if (have) std::memcpy(to.data(), p + in, have);
    if (have < n) std::memset(to.data() + have, 0, n - have);
    to = to.subspan(n);
    offset += n;
  }
}

uint64_t FileData::missing(uint64_t first, uint64_t last) const {
  uint64_t n = last - first + 1;
  if (first == 0 && first_) n--;
  if (!rest_) return n;
  Leaves& leaves = rest_->leaves;
  for (auto it = leaves.lower_bound(first / kLeafPages); it != leaves.end() && it->first <= last / kLeafPages; ++it) {
    uint64_t base = it->first * kLeafPages;
    auto& pages = it->second.pages;
    uint64_t from = first > base ? first - base : 0, to = std::min<uint64_t>(last - base + 1, pages.size());
    if (from == 0 && to == pages.size()) {
      n -= it->second.used;
      continue;
    }
    for (uint64_t i = from; i < to; i++) n -= pages[i] != nullptr;
  }
  return n;
}

void FileData::put(uint64_t index, std::byte* p) {
  if (index == 0) {
    first_ = p;
    return;
  }
  if (!rest_) rest_ = std::make_unique<Rest>();
  Leaf& leaf = rest_->leaves[index / kLeafPages];
  uint64_t at = index % kLeafPages;
  if (leaf.pages.size() <= at) leaf.pages.resize(at + 1);
  leaf.pages[at] = p;
  leaf.used++;
  rest_->pages++;
}

// The first page as a real page.
void FileData::promote() {
  Small* s = small();
  std::byte* p = pool().take();
  std::memcpy(p, s->bytes(), s->size);
  std::memset(p + s->size, 0, kPage - s->size);
  std::free(s);
  put(0, p);
}

// Exactly what the allocator hands out anyway for the first bytes; a file that grows grows by half.
void FileData::grow_small(uint32_t bytes) {
  Small* old = small();
  uint32_t have = old ? old->size : 0;
  if (bytes <= have) return;
  constexpr uint32_t kHead = sizeof(Small), kStep = 16, kOwn = 8;  // malloc's blocks are of 16 n + 8 bytes
  uint32_t block = std::max(bytes, have + have / 2) + kHead;
  block = std::max(24u, (block - kOwn + kStep - 1) / kStep * kStep + kOwn);
  auto* s = static_cast<Small*>(std::realloc(static_cast<void*>(old), block));
  if (!s) throw std::bad_alloc();
  s->size = block - kHead;
  std::memset(s->bytes() + have, 0, s->size - have);
  first_ = reinterpret_cast<std::byte*>(s) + 1;
}

std::byte* FileData::make(uint64_t index, bool overwrite) {
  if (std::byte* p = page(index)) return p;
  if (index == 0 && small()) {
    promote();
    return page(0);
  }
  std::byte* p = pool().take();
  if (!overwrite) std::memset(p, 0, kPage);
  put(index, p);
  return p;
}

void FileData::copy_in(uint64_t offset, Bytes from) {
  while (!from.empty()) {
    uint64_t index = offset / kPage;
    size_t in = offset % kPage, n = std::min(from.size(), kPage - in);
    if (index == 0 && in + n <= kSmallMax && !page(0)) {
      grow_small(static_cast<uint32_t>(in + n));
      std::memcpy(small()->bytes() + in, from.data(), n);
    } else {
      std::memcpy(make(index, n == kPage) + in, from.data(), n);
    }
    from = from.subspan(n);
    offset += n;
  }
}

size_t FileData::write(uint64_t offset, Bytes from, const Payer& payer, Errno& why) {
  if (from.empty()) return 0;
  uint64_t first = offset / kPage, last = (offset + from.size() - 1) / kPage;
  Status s = payer.space.take(payer.uid, missing(first, last) * kPage);
  if (s) {
    copy_in(offset, from);
    return from.size();
  }
  // Not everything fits: page by page, as far as it goes.
  size_t done = 0;
  while (done < from.size()) {
    uint64_t index = (offset + done) / kPage;
    if (!has(index))
      if (s = payer.space.take(payer.uid, kPage); !s) break;
    size_t n = std::min<size_t>(from.size() - done, kPage - (offset + done) % kPage);
    copy_in(offset + done, from.subspan(done, n));
    done += n;
  }
  if (!s) why = s.error();
  return done;
}

Status FileData::allocate(uint64_t offset, uint64_t length, const Payer& payer) {
  if (!length) return Unit{};
  uint64_t first = offset / kPage, last = (offset + length - 1) / kPage;
  if (auto s = payer.space.take(payer.uid, missing(first, last) * kPage); !s) return s;
  for (uint64_t i = first; i <= last; i++)
    if (!has(i)) make(i, false);
  return Unit{};
}

void FileData::zero_in_page(uint64_t index, size_t from, size_t to) {
  if (std::byte* p = page(index))
    std::memset(p + from, 0, to - from);
  else if (Small* s = index == 0 ? small() : nullptr; s && from < s->size)
    std::memset(s->bytes() + from, 0, std::min<size_t>(to, s->size) - from);
}

void FileData::zero(uint64_t offset, uint64_t length) {
  for (uint64_t end = offset + length; offset < end;) {
    size_t in = offset % kPage, n = static_cast<size_t>(std::min<uint64_t>(kPage - in, end - offset));
    zero_in_page(offset / kPage, in, in + n);
    offset += n;
  }
}

// Frees the pages first .. last.
void FileData::remove(uint64_t first, uint64_t last, const Payer& payer) {
  if (first > last) return;
  uint64_t before = pages();
  if (first == 0) free_first();
  if (rest_) {
    Leaves& leaves = rest_->leaves;
    auto it = leaves.lower_bound(first / kLeafPages);
    while (it != leaves.end() && it->first <= last / kLeafPages) {
      uint64_t base = it->first * kLeafPages;
      Leaf& leaf = it->second;
      uint64_t from = first > base ? first - base : 0, to = std::min<uint64_t>(last - base + 1, leaf.pages.size());
      for (uint64_t i = from; i < to; i++) {
        if (!leaf.pages[i]) continue;
        pool().give(std::exchange(leaf.pages[i], nullptr));
        leaf.used--;
        rest_->pages--;
      }
      it = leaf.used ? std::next(it) : leaves.erase(it);
    }
    if (leaves.empty()) rest_.reset();
  }
  payer.space.give(payer.uid, (before - pages()) * kPage);
}

void FileData::punch(uint64_t offset, uint64_t length, const Payer& payer) {
  if (!length) return;
  uint64_t end = offset + length, first = offset / kPage, last = end / kPage;
  size_t head = offset % kPage, tail = end % kPage;
  if (first == last) return zero_in_page(first, head, tail);
  if (head) zero_in_page(first++, head, kPage);
  if (tail) zero_in_page(last, 0, tail);
  if (first < last) remove(first, last - 1, payer);
}

void FileData::cut(uint64_t size, const Payer& payer) {
  if (!first_ && !rest_) return;
  if (size % kPage) zero_in_page(size / kPage, size % kPage, kPage);
  remove((size + kPage - 1) / kPage, UINT64_MAX / kPage, payer);
}

void FileData::collapse(uint64_t offset, uint64_t length, const Payer& payer) {
  uint64_t first = offset / kPage, count = length / kPage;
  remove(first, first + count - 1, payer);
  if (!rest_) return;
  auto old = std::move(rest_);
  for (auto& [key, leaf] : old->leaves)
    for (uint64_t i = 0; i < leaf.pages.size(); i++)
      if (std::byte* p = leaf.pages[i]) {
        uint64_t index = key * kLeafPages + i;
        put(index < first ? index : index - count, p);
      }
}

void FileData::insert(uint64_t offset, uint64_t length) {
  uint64_t first = offset / kPage, count = length / kPage;
  if (small() && first == 0) promote();
  auto old = std::move(rest_);
  if (first_ && first == 0) put(count, std::exchange(first_, nullptr));
  if (!old) return;
  for (auto& [key, leaf] : old->leaves)
    for (uint64_t i = 0; i < leaf.pages.size(); i++)
      if (std::byte* p = leaf.pages[i]) {
        uint64_t index = key * kLeafPages + i;
        put(index < first ? index : index + count, p);
      }
}

uint64_t FileData::next_data(uint64_t offset) const {
  uint64_t index = offset / kPage;
  if (has(index)) return offset;
  if (!rest_) return UINT64_MAX;
  for (auto it = rest_->leaves.lower_bound(index / kLeafPages); it != rest_->leaves.end(); ++it) {
    uint64_t base = it->first * kLeafPages;
    for (uint64_t i = index > base ? index - base : 0; i < it->second.pages.size(); i++)
      if (it->second.pages[i]) return (base + i) * kPage;
  }
  return UINT64_MAX;
}

uint64_t FileData::next_hole(uint64_t offset) const {
  uint64_t index = offset / kPage;
  if (!has(index)) return offset;
  do index++;
  while (has(index));
  return index * kPage;
}

}  // namespace isthmus::fs::mem
