#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "run/threads.h"

namespace isthmus {

/// Where a line's threads get requests. `thread` is a small number, 0.. below Line::Options::max_threads, that belongs
/// to one thread for good.
class LineSource {
 public:
  enum class Got : uint8_t { request, nothing, closed };

  virtual ~LineSource() = default;
  /// Blocks until there is a request, and keeps it for run(). nothing: woken for another reason, ask again. closed: no
  /// request will come any more. Several threads at once.
  virtual Got wait(unsigned thread) = 0;
  /// Runs what wait() of the same thread brought. May block when Options::may_block says so.
  virtual void run(unsigned thread) = 0;
  /// Whether a wait() would find a request at once. Asked by the sentinel only.
  virtual bool readable() = 0;
};

/// Threads that wait for requests and run them where they were read (docs/threads.md). As few as possible: a request
/// that stays on its client's core costs a seventh of one that changes cores. So a thread keeps the line while it runs
/// an operation, and others are called only when operations prove to block:
/// - A source that never blocks has one thread.
/// - Else a sentinel looks every `tick` while requests come, and sleeps while none do. When nobody waits, no operation
///   has ended since the last look, no thread needs a CPU (one that does counts as blocked after 16 looks) and the
///   source is readable, a parked thread is woken or a new one started. So a blocked operation delays others by about
///   two ticks, and operations that wait for each other never deadlock below max_threads.
/// - Threads that were more than one too many for `patience` ticks park after their next request.
class Line {
 public:
  struct Options {
    bool may_block = true;
    bool parks = true;           ///< false: a thread that has come stays, because requests may have been promised to it
    unsigned first_threads = 1;  ///< started at once
    unsigned max_threads = 64;
    std::chrono::microseconds tick{1000};
    unsigned patience = 64;
    std::string name = "line";  ///< of the threads, up to 11 bytes
    /// In the threads that run operations, besides what start()'s caller blocks.
    sigset_t blocked = blockable_signals();
  };

  Line(LineSource& source, Options options);
  ~Line();  ///< stop()
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  /// EAGAIN when no thread can be made, EBUSY when the process handles every real-time signal itself.
  Status start();
  /// Threads leave after the request in hand; those in wait() are interrupted by a signal, so that blocking
  /// calls return EINTR. Returns at once.
  void ask_to_stop();
  /// ask_to_stop(), then joins all. Never on a thread of the line.
  void stop();
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  /// Until every thread has left, because the source closed or by ask_to_stop().
  void wait_ended();
  /// False: not within `time`.
  bool wait_ended_for(std::chrono::milliseconds time);

  unsigned started() const { return started_.load(std::memory_order_relaxed); }
  unsigned waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  struct Place;  // one thread's

  Status start_thread_locked();
  void thread_main(Place& place);
  bool park();
  void source_closed();
  void note_busy();
  void sentinel_main();
  bool look(uint64_t& ops_before, unsigned& idle_looks);
  bool some_needs_cpu();
  void call_one_more();
  void wake_all_waiting();
  bool all_left();

  LineSource& source_;
  const Options options_;
  sigset_t mask_{};      // of the threads that run operations
  int wake_signal_ = 0;  // interrupts one that is blocked in wait()

  std::atomic<unsigned> waiting_{0};
  std::atomic<uint64_t> ended_ops_{0};
  std::atomic<uint32_t> sentinel_awake_{0};  // a futex
  std::atomic<unsigned> surplus_{0};         // threads that should park
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> started_{0};
  // The sentinel's own.
  unsigned fewest_waiting_ = 0, looks_in_window_ = 0, blocked_looks_ = 0;
  bool limit_told_ = false;

  // Leaf lock: nothing of the source is called with it held.
  mutable std::mutex m_;
  std::condition_variable parked_, ended_;
  unsigned parked_count_ = 0, tickets_ = 0;  // a ticket lets one parked thread go on
  unsigned running_ = 0;                     // threads that have not left
  bool over_ = false;                        // the source closed, or stopping
  std::vector<std::unique_ptr<Place>> places_;
  std::thread sentinel_;
};

}  // namespace isthmus
