#pragma once
#include <sys/types.h>
#include <sys/uio.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/problem.h"
#include "vfs/context.h"
#include "wire/fuse/opcodes.h"
#include "wire/fuse/structs.h"

namespace isthmus::fuse_host {

/// Bytes of file data in one message, at most: what a socket takes whole, and what a kernel sends by default.
constexpr size_t kMostData = size_t{128} << 10;

/// The kernel's part of a FUSE connection: sends requests and hears answers and news. The socket (SOCK_SEQPACKET) is
/// what the daemon has for its device. Nothing of what comes is believed.
class Connection {
 public:
  /// Waits for an answer, and gets it once: on the thread that hears answers, or on the one that asks, when asking
  /// fails. An answer's body lives until answered() returns.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void answered(Errno e, Bytes body) noexcept = 0;
  };
  /// `code`: a wire::fuse::NotifyCode. On a thread of its own: it may wait.
  using News = std::function<void(int code, Bytes body)>;

  explicit Connection(Fd socket) : socket_(std::move(socket)) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// One exchange before start(): the answer, and the process that gave it. ETIMEDOUT after `limit_ms`; ENOTCONN when
  /// the daemon has closed its end; EINTR when `stop` says so, which is asked from time to time.
  struct First {
    std::vector<std::byte> body;
    pid_t pid = 0;
  };
  Result<First> ask_first(wire::fuse::Opcode opcode, Bytes body, const std::function<bool()>& stop);

  /// Threads begin. `ended` is called once when the daemon has closed its end, and not after close().
  Status start(News news, std::function<void()> ended);
  /// Whoever still waits hears ENOTCONN; nothing more is heard. Not on the connection's threads.
  void close();

  /// Sends a request: `parts` are its body. When ctx.cancel is requested, the daemon is told (FUSE_INTERRUPT), whose
  /// answer is waited for nonetheless.
  void ask(wire::fuse::Opcode opcode, uint64_t node, const Context& ctx, std::span<const Bytes> parts,
           std::unique_ptr<Waiter> waiter);
  /// One that has no answer.
  void tell(wire::fuse::Opcode opcode, uint64_t node, Bytes body);

 private:
  struct Asked {
    std::unique_ptr<Waiter> waiter;
    Cancel* cancel = nullptr;  ///< tells us; lives until the waiter is answered
    unsigned interrupts = 0;   ///< sent, or to be sent
  };
  /// What a Cancel's function has of us: it may still run when we end.
  struct Line {
    explicit Line(Connection* c) : to(c) {}
    std::mutex m;
    Connection* to;  // null: closed
  };
  /// Never waits: while the daemon is slow, messages stand in line. With send_m_ held.
  Status send(wire::fuse::InHeader& header, std::span<const Bytes> parts);
  Status send_message(std::span<const iovec> message, int flags);
  void send_what_waits();
  void send_interrupt(uint64_t unique);
  void want_interrupt(uint64_t unique);
  void hear();
  void hear_one(Bytes message);
  void pass_news_on();
  Asked take(uint64_t unique);
  static void answer(Asked asked, Errno e, Bytes body);
  void fail_all();

  const Fd socket_;
  News news_;
  std::function<void()> ended_;
  std::thread hearing_, passing_, sending_;

  std::mutex m_;  // guards what follows; held for nothing else, and taken inside of send_m_
  uint64_t last_unique_ = 0;
  bool over_ = false, outgoing_waits_ = false, deaf_to_interrupts_ = false;
  std::unordered_map<uint64_t, Asked> waiting_;
  std::vector<uint64_t> interrupts_;          // to be sent
  std::deque<std::vector<std::byte>> queue_;  // news
  std::condition_variable more_, outgoing_;
  const std::shared_ptr<Line> line_ = std::make_shared<Line>(this);

  /// Guards what follows. Held from before a request can be answered until it is sent or copied, and taken before an
  /// answer is passed on: whatever a daemon says and when, a request's names are not gone while they are read.
  std::mutex send_m_;
  std::deque<std::vector<std::byte>> outbox_;  // in order; the first is on its way
};

}  // namespace isthmus::fuse_host
