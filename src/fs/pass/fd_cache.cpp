#include "fs/pass/fd_cache.h"

#include <algorithm>

namespace isthmus::fs::pass {

void FdCache::set_limit(size_t limit) { limit_each_ = std::max<size_t>(1, limit / kParts); }

void FdCache::take_out(Part& p, Order::iterator it, Order& to) {
  if (it->use == Use::write) writers_.fetch_sub(1, std::memory_order_relaxed);
  p.at.erase(raw(it->node));
  to.splice(to.begin(), p.order, it);
}

SharedFd FdCache::get(NodeId node, Use use) {
  Part& p = part(node);
  std::lock_guard lock(p.m);
  auto it = p.at.find(raw(node));
  if (it == p.at.end() || it->second->use < use) return nullptr;
  it->second->last = round();
  p.order.splice(p.order.begin(), p.order, it->second);
  return it->second->fd;
}

bool FdCache::put(NodeId node, SharedFd fd, Use use) {
  Part& p = part(node);
  Order old;
  std::lock_guard lock(p.m);
  if (auto it = p.at.find(raw(node)); it != p.at.end()) {
    if (it->second->use >= use) return false;
    take_out(p, it->second, old);
  } else if (p.order.size() >= limit_each_) {
    take_out(p, std::prev(p.order.end()), old);
  }
  p.order.push_front({node, std::move(fd), use, round()});
  p.at.emplace(raw(node), p.order.begin());
  return use == Use::write && writers_.fetch_add(1, std::memory_order_relaxed) == 0;
}

void FdCache::drop(NodeId node) {
  Part& p = part(node);
  Order old;
  std::lock_guard lock(p.m);
  if (auto it = p.at.find(raw(node)); it != p.at.end()) take_out(p, it->second, old);
}

void FdCache::drop_all() {
  for (auto& p : parts_) {
    Order old;
    std::lock_guard lock(p.m);
    while (!p.order.empty()) take_out(p, p.order.begin(), old);
  }
}

void FdCache::drop_idle_writers() {
  uint32_t now = round_.fetch_add(1, std::memory_order_relaxed) + 1;
  for (auto& p : parts_) {
    Order old;
    std::lock_guard lock(p.m);
    for (auto it = p.order.begin(); it != p.order.end();) {
      auto here = it++;
      if (here->use == Use::write && now - here->last > 1) take_out(p, here, old);
    }
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
