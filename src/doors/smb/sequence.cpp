#include "doors/smb/sequence.h"

#include <algorithm>

#include "doors/smb/request.h"

namespace isthmus::smb {

InSequence::InSequence(const Request& r) : open_(r.open) {
  if (r.link->agreed.dialect < smb2::Dialect::smb300) return;
  number_ = r.header.channel_sequence();
  std::lock_guard lock(open_->m);
  const auto ahead = static_cast<uint16_t>(number_ - open_->sequence);
  if (ahead > INT16_MAX) {
    good_ = false;
    return;
  }
  if (ahead > 0) {
    open_->sequence = number_;
    open_->earlier_changes += std::exchange(open_->changes, 0);
  }
  if (r.header.is_replay() && open_->earlier_changes > 0) {
    good_ = false;
    return;
  }
  open_->changes++;
  counted_ = true;
}

InSequence::~InSequence() {
  if (!counted_) return;
  std::lock_guard lock(open_->m);
  (number_ == open_->sequence ? open_->changes : open_->earlier_changes)--;
}

LockSequence::LockSequence(const Request& r, uint32_t value) {
  const uint32_t index = value >> 4;
  if (r.link->agreed.dialect < smb2::Dialect::smb210 || index == 0 || index > r.open->lock_sequences.size()) return;
  std::lock_guard lock(r.open->m);
  if (r.link->agreed.dialect < smb2::Dialect::smb300 && !r.open->durable) return;
  open_ = r.open;
  slot_ = index - 1;
  number_ = static_cast<uint8_t>(0x80 | (value & 0xF));
  done_ = open_->lock_sequences[slot_] == number_;
  if (!done_) open_->lock_sequences[slot_] = 0;
}

void LockSequence::done() {
  if (!open_) return;
  std::lock_guard lock(open_->m);
  open_->lock_sequences[slot_] = number_;
}

bool Creations::is_over(const Entry& e) {
  if (e.under_way) return false;
  const auto open = e.open.lock();
  return !open || open->closed;
}

Creations::Found Creations::begin(const Key& key) {
  std::lock_guard lock(m_);
  if (all_.size() >= sweep_at_) {
    std::erase_if(all_, [](const auto& e) { return is_over(e.second); });
    sweep_at_ = std::max<size_t>(64, all_.size() * 2);
  }
  const auto [it, fresh] = all_.try_emplace(key);
  if (!fresh && is_over(it->second)) {
    it->second = {};
    return {true, nullptr};
  }
  return {fresh, it->second.open.lock()};
}

void Creations::done(const Key& key, const std::shared_ptr<Open>& open) {
  std::lock_guard lock(m_);
  all_[key] = {false, open};
}

void Creations::failed(const Key& key) {
  std::lock_guard lock(m_);
  all_.erase(key);
}

}  // namespace isthmus::smb
