#include "doors/smb/sequence.h"

#include <utility>

#include "doors/smb/request.h"

namespace isthmus::smb {

void note_sequence(const Request& r) {
  if (r.link->agreed.dialect < smb2::Dialect::smb300) return;
  const uint16_t number = r.header.channel_sequence();
  std::lock_guard lock(r.open->m);
  const auto ahead = static_cast<uint16_t>(number - r.open->sequence);
  if (ahead == 0 || ahead > INT16_MAX) return;
  r.open->sequence = number;
  r.open->earlier_changes += std::exchange(r.open->changes, 0);
}

InSequence::InSequence(const Request& r) : open_(r.open) {
  if (r.link->agreed.dialect < smb2::Dialect::smb300) return;
  number_ = r.header.channel_sequence();
  std::lock_guard lock(open_->m);
  if (number_ != open_->sequence) {
    good_ = false;
    return;
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

Creations::Found Creations::begin(const Key& key, const Request& r) {
  r.link->outlive(r.header.message_id);
  std::lock_guard lock(m_);
  sweep_(all_, is_over);
  const auto [it, fresh] = all_.try_emplace(key);
  if (!fresh && !is_over(it->second)) {
    auto open = it->second.open.lock();
    // One that has been used is not what the client misses (IsReplayEligible).
    if (!open || !open->used || !r.header.is_replay()) return {false, std::move(open)};
  }
  it->second = {.session_id = r.session->id, .under_way = r.cancel};
  return {true, nullptr};
}

void Creations::done(const Key& key, const std::shared_ptr<Open>& open) {
  std::lock_guard lock(m_);
  all_[key] = {.open = open};
}

void Creations::cancel(std::optional<uint64_t> session_id) {
  std::vector<std::shared_ptr<Cancel>> all;
  {
    std::lock_guard lock(m_);
    for (const auto& [key, e] : all_)
      if (e.under_way && (!session_id || e.session_id == *session_id)) all.push_back(e.under_way);
  }
  for (const auto& c : all) c->request();
}

void Creations::failed(const Key& key) {
  std::lock_guard lock(m_);
  all_.erase(key);
}

}  // namespace isthmus::smb
