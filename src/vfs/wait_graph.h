#pragma once
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace isthmus {

/// Who waits for whom, among the owners of byte-range locks, across all files of a LockTable. Its mutex is a leaf.
class WaitGraph {
 public:
  /// One waiting lock; distinct for every one.
  using Ticket = const void*;

  /// `owner` waits for `blockers` from now on, instead of what the ticket said before. False, and nothing remembered,
  /// when one of them waits, directly or not, for `owner`: a deadlock. `force`: remember it anyway.
  bool wait(Ticket t, uint64_t owner, std::vector<uint64_t> blockers, bool force = false);
  void done(Ticket t);

 private:
  struct Edge {
    uint64_t owner = 0;
    std::vector<uint64_t> blockers;
  };
  bool leads_to(const std::vector<uint64_t>& from, uint64_t to) const;

  std::mutex m_;
  std::unordered_map<Ticket, Edge> edges_;
  std::unordered_multimap<uint64_t, Ticket> waits_;  // owner -> its tickets (threads of a process wait independently)
};

}  // namespace isthmus
