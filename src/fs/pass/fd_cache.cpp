#include "fs/pass/fd_cache.h"

#include <algorithm>

namespace isthmus::fs::pass {

void FdCache::set_limit(size_t limit) { limit_each_ = std::max<size_t>(1, limit / kParts); }

SharedFd FdCache::get(NodeId node) {
  Part& p = part(node);
  std::lock_guard lock(p.m);
  auto it = p.at.find(raw(node));
  if (it == p.at.end()) return nullptr;
  p.order.splice(p.order.begin(), p.order, it->second);
  return it->second->fd;
}

void FdCache::put(NodeId node, SharedFd fd) {
  Part& p = part(node);
  SharedFd old;  // closed after the lock is gone
  std::lock_guard lock(p.m);
  if (p.at.contains(raw(node))) return;
  if (p.order.size() >= limit_each_) {
    old = std::move(p.order.back().fd);
    p.at.erase(raw(p.order.back().node));
    p.order.pop_back();
  }
  p.order.push_front({node, std::move(fd)});
  p.at.emplace(raw(node), p.order.begin());
}

void FdCache::drop(NodeId node) {
  Part& p = part(node);
  SharedFd old;
  std::lock_guard lock(p.m);
  auto it = p.at.find(raw(node));
  if (it == p.at.end()) return;
  old = std::move(it->second->fd);
  p.order.erase(it->second);
  p.at.erase(it);
}

void FdCache::drop_all() {
  for (auto& p : parts_) {
    std::list<Item> old;
    std::lock_guard lock(p.m);
    old.swap(p.order);
    p.at.clear();
  }
}

size_t FdCache::size() const {
  size_t n = 0;
  for (auto& p : parts_) {
    std::lock_guard lock(p.m);
    n += p.order.size();
  }
  return n;
}

}  // namespace isthmus::fs::pass
