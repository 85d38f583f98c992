#pragma once
#include <atomic>

namespace isthmus {

/// Decides who goes on after a submit: the submitter when the answer came first, else the answering thread. So a
/// request of many steps is a loop, without recursion and without a thread that waits (docs/threads.md). One step at a
/// time.
class Baton {
 public:
  /// Before submit().
  void start() { state_.store(kStarted, std::memory_order_relaxed); }
  /// After submit(), by the submitter. False: the answering thread goes on, *this may be gone.
  bool answered_already() { return state_.exchange(kLeft, std::memory_order_acq_rel) == kAnswered; }
  /// Inside answered(). True: the submitter has left, go on here.
  bool submitter_left() { return state_.exchange(kAnswered, std::memory_order_acq_rel) == kLeft; }

 private:
  enum State : int { kStarted, kLeft, kAnswered };
  std::atomic<int> state_{kStarted};
};

}  // namespace isthmus
