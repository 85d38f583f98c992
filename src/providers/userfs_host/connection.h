#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "run/packets.h"
#include "vfs/context.h"
#include "wire/userfs/packets.h"

namespace isthmus::userfs_host {

namespace packets = wire::userfs;
using wire::userfs::Opcode;

/// A request up to its tail, with room for the header in front.
struct Packet {
  std::string bytes;
  Bytes tail;
};
packets::Cred cred_of(const Context& ctx);
template <class B>
Packet packet_of(const Context& ctx, const B& body) {
  Packet p;
  p.bytes.assign(wire::userfs::kHeader, '\0');
  packets::Encoder e(p.bytes);
  e({}, cred_of(ctx));
  B::fields(e, body);
  p.tail = e.tail();
  return p;
}

/// The kernel's part of a session over two descriptors: sends requests and hears answers. Nothing of what comes is
/// believed: what is no answer to what was asked ends the session, and everybody gets EIO.
class Connection {
 public:
  /// Waits for an answer, and gets it once: on the thread that hears answers, or on the one that asks, when asking
  /// fails. An answer's body lives until answered() returns.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void answered(Errno e, Bytes body) noexcept = 0;
    /// Nobody waits any longer: takes out what is to be told so. The answer still comes, to be undone.
    virtual std::function<void(Errno)> give_up() = 0;
  };
  struct Limits {
    int64_t timeout_ns = 0;  ///< of a request; 0: none
    int64_t interrupted_ns;  ///< how long a request whose caller was interrupted may go on
  };

  Connection(Fd in, Fd out, Limits limits);
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Before start(): sends what is given, together, and waits for all answers, in the same order. An errno for those
  /// that are errors. ETIMEDOUT after `limit_ns`, EINTR when `stop` says so, which is asked from time to time; EPROTO,
  /// ENOTCONN: the session is over.
  struct Question {
    Opcode op{};
    wire::userfs::PacketType type = wire::userfs::PacketType::request;
    std::string body;
  };
  struct Answer {
    Errno error{};
    uint32_t version = 0;
    std::string body;
  };
  Result<std::vector<Answer>> ask_first(const std::vector<Question>& questions, int64_t limit_ns,
                                        const std::function<bool()>& stop);

  /// Threads begin. `ended` is called once when the session is over, with the reason, and not after close().
  Status start(bool interrupts, std::function<void(std::string_view why)> ended);
  /// Something was answered since start().
  bool has_served() const { return served_.load(std::memory_order_relaxed); }
  /// Whoever still waits hears EIO. Not on the connection's threads.
  void close();

  /// Sends a request. patient: no time-out. The caller's cancelling is told to the process.
  void ask(Opcode op, const Context& ctx, Packet packet, std::unique_ptr<Waiter> waiter, bool patient = false);

 private:
  struct Asked {
    std::unique_ptr<Waiter> waiter;
    Opcode op{};
    Cancel* cancel = nullptr;  ///< tells us; lives until the waiter is answered
    int64_t until = INT64_MAX;
    bool interrupted = false, given_up = false;
  };
  /// What a Cancel's function has of us: it may still run when we end.
  struct Line {
    explicit Line(Connection* c) : to(c) {}
    std::mutex m;
    Connection* to;  // null: closed
  };
  uint32_t next_sequence_locked();
  Status send_locked(Packet& packet);
  void send_thread();
  void send_what_waits();
  void give_up_late();
  void send_interrupts(const std::vector<uint32_t>& sequences);
  void want_interrupt(uint32_t sequence);
  void hear();
  const char* hear_one(Bytes packet);
  static void answer(Asked asked, Errno e, Bytes body);
  void fail_all();
  void wake_at(int64_t ns) const;

  const Fd in_, timer_;  // the timer wakes who hears
  const PacketWriter out_;
  const Limits limits_;
  PacketReader reader_;
  Room room_;
  std::function<void(std::string_view)> ended_;
  std::thread hearing_, sending_;
  bool interrupts_work_ = false;
  std::atomic<bool> served_{false};

  std::mutex m_;  // guards what follows; held for nothing else, and taken inside of send_m_
  uint32_t last_sequence_ = 0;
  bool over_ = false, outgoing_waits_ = false;
  std::unordered_map<uint32_t, Asked> waiting_;
  size_t watched_ = 0, given_up_ = 0;  // of waiting_: those with a time-out, those nobody waits for
  std::vector<uint32_t> interrupts_;   // to be sent
  std::condition_variable outgoing_;
  const std::shared_ptr<Line> line_ = std::make_shared<Line>(this);

  /// Guards what follows. Held from before a request can be answered until it is sent or copied, and taken before an
  /// answer is passed on: whatever a process says and when, a request's data is not gone while it is read.
  std::mutex send_m_;
  std::deque<std::string> outbox_;  // in order
  size_t sent_of_first_ = 0;        // bytes
};

}  // namespace isthmus::userfs_host
