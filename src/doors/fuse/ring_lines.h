#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "doors/fuse/ring.h"
#include "run/line.h"

namespace isthmus::fuse {

/// Requests that had better leave the thread they came to, run by a line of their own.
class RingWork final : public LineSource {
 public:
  RingWork();
  /// Any thread.
  void add(Session& session, RingEntry& entry);

  Got wait(unsigned thread) override;
  void run(unsigned thread) override;
  bool readable() override;

 private:
  struct Item {
    Session* session = nullptr;
    RingEntry* entry = nullptr;
  };
  Fd count_;      // an eventfd semaphore: how many wait
  std::mutex m_;  // leaf
  std::deque<Item> items_;
  std::vector<Item> in_hand_;  // by thread
};

/// The line of one queue, or of several that share a thread.
class RingLine final : public LineSource {
 public:
  struct Options {
    Ring::Options ring;
    bool may_block = true;
    unsigned first_threads = 1;
    unsigned max_threads = 1;
    int device = -1;
    std::string name;
  };
  RingLine(Session& session, RingWork* work, Options options);
  ~RingLine() override;

  /// Starts the first thread and waits until its ring is made; the kernel hears of it only after begin().
  Status prepare();
  void begin();
  void stop();
  unsigned threads() const { return line_.started(); }

  Got wait(unsigned thread) override;
  void run(unsigned thread) override;
  /// Nobody can look into the kernel's queue.
  bool readable() override { return true; }

 private:
  enum class Gate : uint8_t { shut, open, gone };
  Ring* ring_of(unsigned thread);
  bool pass_gate(Status opened);

  Session& session_;
  RingWork* const work_;  // null: everything runs here, as nothing blocks
  const Options options_;
  std::vector<std::unique_ptr<Ring>> rings_;  // by thread, each made by it
  std::mutex m_;                              // leaf
  std::condition_variable changed_;
  Gate gate_ = Gate::shut;
  bool first_opened_ = false;
  Status first_ = Unit{};
  Line line_;  // last: its threads use the rest
};

/// All queues of a connection: one for each CPU that the machine can have, as the kernel demands.
class RingLines {
 public:
  struct Options {
    bool may_block = true;
    unsigned threads = 0;  ///< upper limit; 0: by the machine
    unsigned depth = 0;    ///< entries of a queue; 0: kDepth
    size_t data_size = 0;
    int device = -1;
  };
  static constexpr unsigned kDepth = 8;
  static constexpr unsigned kMaxThreads = 64;  ///< of all queues, for operations that block

  RingLines(Session& session, const Options& options);
  ~RingLines();

  /// Threads and rings; the kernel is told nothing. What failed: no io_uring here.
  Status prepare();
  /// INIT has been answered with OVER_IO_URING.
  void begin();
  /// After the last request has been answered, or when begin() will not come.
  void stop();
  unsigned threads() const;

 private:
  std::unique_ptr<RingWork> work_;
  std::unique_ptr<Line> workers_;
  ClientHops hops_;
  std::vector<std::unique_ptr<RingLine>> lines_;
};

}  // namespace isthmus::fuse
