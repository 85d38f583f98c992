#include "doors/smb/close_order.h"

#include <utility>

#include "doors/smb/chain.h"

namespace isthmus::smb {

bool CloseOrder::enter(const std::shared_ptr<Chain>& chain) {
  const Chain::Named& named = chain->named();
  if (named.closed.empty() && named.used.empty()) return true;
  std::lock_guard lock(m_);
  Place& place = chain->place_;
  const auto wait_for = [&](File& f) {
    f.closing.push_back(chain);
    place.waits_for++;
  };
  if (!named.closed.empty() && chain->bytes() <= kMostWaitingBytes - waiting_bytes_) {
    for (const uint64_t id : named.closed)
      if (const auto it = files_.find(id); it != files_.end()) wait_for(it->second);
    for (auto it = files_.lower_bound(kUnknown); it != files_.end(); ++it) wait_for(it->second);
    if (files_.contains(unknown_)) unknown_++;
  }
  for (const uint64_t id : named.used) {
    File& f = files_[id];
    if (!f.closing.empty()) continue;  // it comes after the CLOSE
    f.under_way++;
    place.counted.push_back(id);
  }
  if (place.waits_for == 0) return true;
  waiting_bytes_ += chain->bytes();
  return false;
}

uint64_t CloseOrder::enter_unknown() {
  std::lock_guard lock(m_);
  files_[unknown_].under_way++;
  return unknown_;
}

std::vector<std::shared_ptr<Chain>> CloseOrder::leave(const Chain& chain) {
  std::vector<std::shared_ptr<Chain>> ready;
  if (chain.named().used.empty()) return ready;
  std::lock_guard lock(m_);
  for (const uint64_t id : chain.place_.counted) leave_file(id, ready);
  return ready;
}

std::vector<std::shared_ptr<Chain>> CloseOrder::leave_unknown(uint64_t number) {
  std::vector<std::shared_ptr<Chain>> ready;
  std::lock_guard lock(m_);
  leave_file(number, ready);
  return ready;
}

/// With the mutex held.
void CloseOrder::leave_file(uint64_t id, std::vector<std::shared_ptr<Chain>>& ready) {
  const auto it = files_.find(id);
  if (it == files_.end() || --it->second.under_way > 0) return;
  for (auto& closing : it->second.closing) {
    if (--closing->place_.waits_for > 0) continue;
    waiting_bytes_ -= closing->bytes();
    ready.push_back(std::move(closing));
  }
  files_.erase(it);
}

void CloseOrder::drop() {
  std::map<uint64_t, File> all;  // outlives the mutex
  std::lock_guard lock(m_);
  all.swap(files_);
  waiting_bytes_ = 0;
}

}  // namespace isthmus::smb
