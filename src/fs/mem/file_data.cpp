#include "fs/mem/file_data.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

namespace isthmus::fs::mem {
namespace {
PagePool& pool() { return PagePool::instance(); }
}  // namespace

FileData::FileData(FileData&& o) noexcept
    : small_(std::exchange(o.small_, nullptr)),
      leaves_(std::move(o.leaves_)),
      pages_(std::exchange(o.pages_, 0)),
      small_size_(std::exchange(o.small_size_, 0)) {}

FileData& FileData::operator=(FileData&& o) noexcept {
  std::swap(small_, o.small_);
  std::swap(leaves_, o.leaves_);
  std::swap(pages_, o.pages_);
  std::swap(small_size_, o.small_size_);
  return *this;
}

FileData::~FileData() {
  std::free(small_);
  if (leaves_)
    for (auto& [key, leaf] : *leaves_)
      for (std::byte* p : leaf.pages) pool().give(p);
}

std::byte* FileData::page(uint64_t index) const {
  if (!leaves_) return nullptr;
  auto it = leaves_->find(index / kLeafPages);
  if (it == leaves_->end()) return nullptr;
  uint64_t at = index % kLeafPages;
  return at < it->second.pages.size() ? it->second.pages[at] : nullptr;
}

void FileData::read(uint64_t offset, MutableBytes to) const {
  while (!to.empty()) {
    uint64_t index = offset / kPage;
    size_t in = offset % kPage, n = std::min(to.size(), kPage - in), have = 0;
    const std::byte* p = page(index);
    if (p)
      have = n;
    else if (index == 0 && in < small_size_)
      p = small_, have = std::min<size_t>(n, small_size_ - in);
    if (have) std::memcpy(to.data(), p + in, have);
    if (have < n) std::memset(to.data() + have, 0, n - have);
    to = to.subspan(n);
    offset += n;
  }
}

uint64_t FileData::missing(uint64_t first, uint64_t last) const {
  uint64_t n = last - first + 1;
  if (first == 0 && small_) n--;
  if (!leaves_) return n;
  for (auto it = leaves_->lower_bound(first / kLeafPages); it != leaves_->end() && it->first <= last / kLeafPages;
       ++it) {
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
  if (!leaves_) leaves_ = std::make_unique<Leaves>();
  Leaf& leaf = (*leaves_)[index / kLeafPages];
  uint64_t at = index % kLeafPages;
  if (leaf.pages.size() <= at) leaf.pages.resize(at + 1);
  leaf.pages[at] = p;
  leaf.used++;
}

// The first page as a real page.
void FileData::promote() {
  std::byte* p = pool().take();
  std::memcpy(p, small_, small_size_);
  std::memset(p + small_size_, 0, kPage - small_size_);
  put(0, p);
  std::free(std::exchange(small_, nullptr));
  small_size_ = 0;
}

// Counts the page when it is new.
void FileData::grow_small(uint32_t bytes) {
  uint32_t size = std::max(64u, std::bit_ceil(bytes));
  if (size <= small_size_) return;
  auto* p = static_cast<std::byte*>(std::realloc(small_, size));
  if (!p) throw std::bad_alloc();
  std::memset(p + small_size_, 0, size - small_size_);
  if (!small_) pages_++;
  small_ = p;
  small_size_ = size;
}

std::byte* FileData::make(uint64_t index, bool overwrite) {
  if (std::byte* p = page(index)) return p;
  if (index == 0 && small_) {
    promote();
    return page(0);
  }
  std::byte* p = pool().take();
  if (!overwrite) std::memset(p, 0, kPage);
  put(index, p);
  pages_++;
  return p;
}

void FileData::copy_in(uint64_t offset, Bytes from) {
  while (!from.empty()) {
    uint64_t index = offset / kPage;
    size_t in = offset % kPage, n = std::min(from.size(), kPage - in);
    if (index == 0 && in + n <= kSmallMax && !page(0)) {
      grow_small(static_cast<uint32_t>(in + n));
      std::memcpy(small_ + in, from.data(), n);
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
  else if (index == 0 && from < small_size_)
    std::memset(small_ + from, 0, std::min<size_t>(to, small_size_) - from);
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
  uint64_t before = pages_;
  if (first == 0 && small_) {
    std::free(std::exchange(small_, nullptr));
    small_size_ = 0;
    pages_--;
  }
  if (leaves_) {
    auto it = leaves_->lower_bound(first / kLeafPages);
    while (it != leaves_->end() && it->first <= last / kLeafPages) {
      uint64_t base = it->first * kLeafPages;
      Leaf& leaf = it->second;
      uint64_t from = first > base ? first - base : 0, to = std::min<uint64_t>(last - base + 1, leaf.pages.size());
      for (uint64_t i = from; i < to; i++) {
        if (!leaf.pages[i]) continue;
        pool().give(std::exchange(leaf.pages[i], nullptr));
        leaf.used--;
        pages_--;
      }
      it = leaf.used ? std::next(it) : leaves_->erase(it);
    }
    if (leaves_->empty()) leaves_.reset();
  }
  payer.space.give(payer.uid, (before - pages_) * kPage);
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
  if (!pages_) return;
  if (size % kPage) zero_in_page(size / kPage, size % kPage, kPage);
  remove((size + kPage - 1) / kPage, UINT64_MAX / kPage, payer);
}

void FileData::collapse(uint64_t offset, uint64_t length, const Payer& payer) {
  uint64_t first = offset / kPage, count = length / kPage;
  remove(first, first + count - 1, payer);
  if (!leaves_) return;
  auto old = std::move(leaves_);
  for (auto& [key, leaf] : *old)
    for (uint64_t i = 0; i < leaf.pages.size(); i++)
      if (std::byte* p = leaf.pages[i]) {
        uint64_t index = key * kLeafPages + i;
        put(index < first ? index : index - count, p);
      }
}

void FileData::insert(uint64_t offset, uint64_t length) {
  uint64_t first = offset / kPage, count = length / kPage;
  if (small_ && first == 0) promote();
  if (!leaves_) return;
  auto old = std::move(leaves_);
  for (auto& [key, leaf] : *old)
    for (uint64_t i = 0; i < leaf.pages.size(); i++)
      if (std::byte* p = leaf.pages[i]) {
        uint64_t index = key * kLeafPages + i;
        put(index < first ? index : index + count, p);
      }
}

uint64_t FileData::next_data(uint64_t offset) const {
  uint64_t index = offset / kPage;
  if (has(index)) return offset;
  if (!leaves_) return UINT64_MAX;
  for (auto it = leaves_->lower_bound(index / kLeafPages); it != leaves_->end(); ++it) {
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
