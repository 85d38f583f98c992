#include "vfs/wait_graph.h"

#include <unordered_set>

namespace isthmus {

bool WaitGraph::leads_to(const std::vector<uint64_t>& from, uint64_t to) const {
  std::vector<uint64_t> open(from);
  std::unordered_set<uint64_t> seen;
  while (!open.empty()) {
    uint64_t owner = open.back();
    open.pop_back();
    if (owner == to) return true;
    if (!seen.insert(owner).second) continue;
    auto [begin, end] = waits_.equal_range(owner);
    for (auto it = begin; it != end; ++it) {
      auto& next = edges_.at(it->second).blockers;
      open.insert(open.end(), next.begin(), next.end());
    }
  }
  return false;
}

bool WaitGraph::wait(Ticket t, uint64_t owner, std::vector<uint64_t> blockers, bool force) {
  std::lock_guard lock(m_);
  if (!force && leads_to(blockers, owner)) return false;
  auto [it, fresh] = edges_.try_emplace(t);
  it->second.owner = owner;
  it->second.blockers = std::move(blockers);
  if (fresh) waits_.emplace(owner, t);
  return true;
}

void WaitGraph::done(Ticket t) {
  std::lock_guard lock(m_);
  auto it = edges_.find(t);
  if (it == edges_.end()) return;
  auto [begin, end] = waits_.equal_range(it->second.owner);
  for (auto w = begin; w != end; ++w)
    if (w->second == t) {
      waits_.erase(w);
      break;
    }
  edges_.erase(it);
}

}  // namespace isthmus
