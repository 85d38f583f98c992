#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "doors/fuse/backing.h"
#include "doors/fuse/core_follower.h"
#include "doors/fuse/dev_transport.h"
#include "doors/fuse/exchange_pool.h"
#include "doors/fuse/fuse_door.h"
#include "doors/fuse/interrupts.h"
#include "doors/fuse/listing_advice.h"
#include "doors/fuse/notify.h"
#include "doors/fuse/policy.h"
#include "doors/fuse/ring_lines.h"
#include "run/line.h"

namespace isthmus::fuse {

/// One connection to a kernel, from INIT to the last answer: reads requests for its line, hands them to the handlers
/// of ops_*.cpp, settles the policy. The transport and the file system outlive it.
class Session final : public LineSource {
 public:
  Session(FileSystem& fs, Transport& transport, const SessionOptions& options);
  ~Session() override;

  // For the line.
  Got wait(unsigned thread) override;
  void run(unsigned thread) override;
  bool readable() override { return transport_.readable(); }

  // For rings. Any of their threads.
  /// Runs the request that has come in `entry`.
  void ring_request(RingEntry& entry);
  /// Runs the request in `message` (Door::process()). Any thread.
  void process(Bytes message);
  /// Reads a message without running it (Door::receive()). Any thread.
  Result<size_t> receive(MutableBytes into);
  /// Makes the kernel send a request, answered at once, by the queue of the caller's CPU. Only while requests for files
  /// are under way: nothing else is safe to ask about, and only those wait for each other.
  void provoke_request();

  // For handlers and exchanges.
  FileSystem& fs() { return fs_; }
  Transport& transport() { return transport_; }
  Notifier& notifier() { return notifier_; }
  Interrupts& interrupts() { return interrupts_; }
  Backing& backing() { return backing_; }
  const SessionOptions& options() const { return options_; }
  /// Settled: only after INIT.
  const Policy& policy() const { return policy_; }
  /// Traits::dir_attr.
  bool dir_attr() const { return dir_attr_; }
  /// Null for a file system that negotiates for itself, or a kernel that chooses: they mean what they ask for.
  ListingAdvice* listing_advice() {
    return options_.negotiate || policy_.has(wire::fuse::kInitReaddirplusAuto) ? nullptr : &listings_;
  }
  void init(Exchange& x);
  /// With requests by rings, forgets of files that are gone wait for the device's reader: has it run those that are
  /// there now. False: there are none. Any thread that answers; waits for the reader, 100 ms at most.
  bool hear_forgets();
  void interrupt(Exchange& x);
  void count_error() { errors_.fetch_add(1, std::memory_order_relaxed); }
  /// An answer went to the kernel and did not arrive: says so where that is not normal.
  void note_undelivered(Errno e, const wire::fuse::Request& request);
  void over(Exchange& x);

  // For the door.
  Status wait_ready(std::chrono::milliseconds timeout);
  EndReason reason() const { return reason_.load(); }
  /// Cancels what is under way, too, unless the kernel has let go in good order: the threads in it are waited for
  /// before drain().
  void mark_ended(EndReason why);
  /// When no thread reads any more: cancels everything under way and waits until it has been answered.
  void drain();
  SessionStats stats() const;

 private:
  enum class State : uint8_t { new_, ready, refused, ended };
  struct alignas(64) Lane {
    bool open = false;
    bool forgot = false;           // the last message was a FORGET
    ReadExchange* next = nullptr;  // receives the next request
    size_t length = 0;             // of the message in it
    CoreFollower core;
  };

  void arrived(Exchange& x, const wire::fuse::Parsed& parsed);
  void dispatch(Exchange& x, const wire::fuse::Request& request);
  void note_end(Errno e);
  Status negotiate(const PolicyFacts& facts);
  void refuse_malformed(Exchange& x, const wire::fuse::ParseFailure& failure);
  bool make_rings(uint64_t offered);
  void pause_for_forgets();
  bool may_ask(const wire::fuse::Request& request) const;
  void set_state(State s);
  void cancel_all();
  bool cut_off() const { return reason_set_.load() && reason_.load() != EndReason::unmounted; }

  FileSystem& fs_;
  Transport& transport_;
  const SessionOptions options_;
  ExchangePool pool_;
  Interrupts interrupts_;
  Notifier notifier_;
  Backing backing_;
  Policy policy_;
  bool dir_attr_ = false;
  ListingAdvice listings_;
  wire::fuse::Negotiated negotiated_;
  std::unique_ptr<RingLines> rings_;
  std::atomic<bool> by_rings_{false};  // requests come by rings_
  std::array<Lane, DevTransport::kMaxLanes> lanes_;

  std::atomic<State> state_{State::new_};
  std::atomic<EndReason> reason_{EndReason::unmounted};
  std::atomic<bool> reason_set_{false};
  std::atomic<uint64_t> under_way_{0};
  std::atomic<uint32_t> forgetting_{0};  // messages read from the device and not through
  std::atomic<uint64_t> requests_{0}, errors_{0}, interrupts_found_{0}, malformed_{0};

  std::mutex m_;  // leaf; for the three waits only
  std::condition_variable changed_, hurry_;
  uint64_t hurries_ = 0;
  State told_ = State::new_;
};

}  // namespace isthmus::fuse
