#pragma once
#include <sched.h>
#include <sys/types.h>

#include <cstdint>

namespace isthmus::fuse {

/// Keeps a thread that answers requests on its client's CPU. A round trip costs 6.5 us there and 45 us across CPUs, as
/// a sleeping one must be woken; left alone, the scheduler wakes the reader on whatever CPU is idle. io_uring queues
/// need none of this: the kernel chooses the queue by the client's CPU. Every kEvery requests it looks where the client
/// is. Found on the same CPU several times in a row, the thread moves there and stays; clients on several CPUs, or
/// operations that take longer than a move costs, set it free again. For one thread, which calls everything.
class CoreFollower {
 public:
  static constexpr unsigned kEvery = 64;
  static constexpr unsigned kAgree = 3;        // looks in a row
  static constexpr int64_t kShortNs = 50'000;  // an operation's time from which a second CPU is worth more
  virtual ~CoreFollower() = default;

  /// Whether the next request is to be looked at: then time it.
  bool due() { return ++requests_ % kEvery == 0; }
  /// The request of `client` (0: the kernel's own) took `took_ns`.
  void look(pid_t client, int64_t took_ns);

 protected:
  /// The CPU that a thread ran on last; -1: unknown.
  virtual int cpu_of(pid_t thread);
  /// Moves the calling thread to `cpu`; -1: wherever it may run.
  virtual void move_to(int cpu);

 private:
  unsigned requests_ = 0;
  int seen_ = -1, at_ = -1;
  unsigned agreed_ = 0;
  bool know_all_ = false;
  cpu_set_t all_{};
};

}  // namespace isthmus::fuse
