#include "fs/compress/frame_cache.h"

#include <cstring>

namespace isthmus::fs::compress {

void Plain::copy(size_t at, MutableBytes to) const {
  if (to.empty()) return;
  if (bytes)
    std::memcpy(to.data(), bytes.get() + at, to.size());
  else
    std::memset(to.data(), 0, to.size());
}

Result<PlainRef> FrameCache::get(const Key& key, const std::function<Result<PlainRef>()>& make) {
  std::shared_ptr<Slot> slot;
  {
    std::lock_guard lock(m_);
    auto [it, fresh] = entries_.try_emplace(key);
    if (fresh) {
      it->second.slot = std::make_shared<Slot>();
      used_.push_front(key);
      it->second.place = used_.begin();
    } else {
      used_.splice(used_.begin(), used_, it->second.place);
    }
    slot = it->second.slot;
  }
  std::lock_guard making(slot->making);
  if (slot->plain) return slot->plain;
  auto made = make();
  if (!made) {
    forget(key, slot);
    return made.error();
  }
  slot->plain = *made;
  std::list<std::shared_ptr<Slot>> gone;  // freed without the lock
  account(key, slot, (*made)->bytes ? (*made)->size : 0, gone);
  return *made;
}

void FrameCache::account(const Key& key, const std::shared_ptr<Slot>& slot, size_t size,
                         std::list<std::shared_ptr<Slot>>& gone) {
  constexpr size_t kOverhead = 256;
  std::lock_guard lock(m_);
  auto it = entries_.find(key);
  if (it == entries_.end() || it->second.slot != slot) return;
  it->second.size = size + kOverhead;
  size_ += it->second.size;
  // The ones that are being made have no size yet, and go as well: whoever makes them keeps them.
  while (size_ > most_ && used_.size() > 1) {
    auto oldest = entries_.find(used_.back());
    size_ -= oldest->second.size;
    gone.push_back(std::move(oldest->second.slot));
    entries_.erase(oldest);
    used_.pop_back();
  }
}

void FrameCache::forget(const Key& key, const std::shared_ptr<Slot>& slot) {
  std::lock_guard lock(m_);
  auto it = entries_.find(key);
  if (it == entries_.end() || it->second.slot != slot) return;
  size_ -= it->second.size;
  used_.erase(it->second.place);
  entries_.erase(it);
}

uint64_t FrameCache::size() const {
  std::lock_guard lock(m_);
  return size_;
}

}  // namespace isthmus::fs::compress
