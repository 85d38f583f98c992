#include "vfs/volume/listings.h"

namespace isthmus::volume {
namespace {

size_t weight(const Listed& l) { return l.size() + 1; }  // also an empty one takes room

}  // namespace

std::shared_ptr<const Listed> Listings::find(NodeId dir) {
  std::lock_guard lock(m_);
  const auto it = all_.find(dir);
  if (it == all_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, it->second.recent);
  return it->second.listed;
}

void Listings::keep(NodeId dir, std::shared_ptr<const Listed> listed, ChangeClock::Stamp since) {
  std::lock_guard lock(m_);
  if (weight(*listed) > most_ || !clock_.unchanged(key(dir), since)) return;
  if (const auto it = all_.find(dir); it != all_.end()) erase(it);
  while (names_ + weight(*listed) > most_) erase(all_.find(recent_.back()));
  names_ += weight(*listed);
  recent_.push_front(dir);
  all_[dir] = {std::move(listed), recent_.begin()};
}

void Listings::drop(NodeId dir) {
  clock_.mark(key(dir));
  std::lock_guard lock(m_);
  if (const auto it = all_.find(dir); it != all_.end()) erase(it);
}

void Listings::drop_all() {
  clock_.mark_all();
  std::lock_guard lock(m_);
  all_.clear();
  recent_.clear();
  names_ = 0;
}

void Listings::erase(std::unordered_map<NodeId, Kept>::iterator it) {
  names_ -= weight(*it->second.listed);
  recent_.erase(it->second.recent);
  all_.erase(it);
}

size_t Listings::names() const {
  std::lock_guard lock(m_);
  return names_;
}

}  // namespace isthmus::volume
